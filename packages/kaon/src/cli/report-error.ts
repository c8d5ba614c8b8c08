import { asKaonError, type FieldError, type KaonError } from '../base/errors.ts'
import { toProblem } from '../base/problem.ts'
import { printable, type Style, type Terminal } from './terminal.ts'

/** The one place where the command line turns an error into output: words for people, problem+json (one line) under `-o json`. */
export function reportError(
  thrown: unknown,
  terminal: Pick<Terminal, 'error' | 'style'>,
  options: { asJson: boolean; isDebug: boolean },
): KaonError {
  const error = asKaonError(thrown)
  if (options.asJson) terminal.error(JSON.stringify(toProblem(error)))
  else terminal.error(renderError(error, terminal.style))
  if (options.isDebug) terminal.error(terminal.style.dim(String((thrown as Error)?.stack ?? thrown)))
  return error
}

/** What happened, where, and what to try. */
export function renderError(error: KaonError, style: Style): string {
  const lines = [`${style.red('error:')} ${printable(error.message)}`]
  for (const field of error.fields ?? []) if (!error.message.includes(field.message)) lines.push(`  ${renderField(field, style)}`)
  if (error.hint !== undefined) lines.push(`${style.cyan('try:')} ${printable(error.hint)}`)
  return lines.join('\n')
}

function renderField(field: FieldError, style: Style): string {
  return field.field === '' ? printable(field.message) : `${style.bold(printable(field.field))}: ${printable(field.message)}`
}
