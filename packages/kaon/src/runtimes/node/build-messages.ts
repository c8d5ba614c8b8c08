import { isBuiltin } from 'node:module'
import type { Message } from 'esbuild'
import { KaonError } from '../../base/errors.ts'

const shownMessages = 20
/** An excerpt of a minified line shows this much around the place. */
const excerptColumns = 120

/** `build_failed` with every error: file:line:column, what is wrong, the line, and a caret below the place. */
export function buildFailed(errors: readonly Message[]): KaonError {
  const shown = errors.slice(0, shownMessages).map(describeMessage)
  if (errors.length > shownMessages) shown.push(`and ${errors.length - shownMessages} more`)
  const packages = [...new Set(errors.map(missingPackage).filter((name) => name !== undefined))]
  return new KaonError('build_failed', shown.join('\n\n'), {
    ...(packages.length === 0
      ? {}
      : { hint: `Run 'npm install ${packages.join(' ')}' and deploy again with the package.json and package-lock.json that it writes.` }),
  })
}

/** One of esbuild's messages for people. */
export function describeMessage(message: Message): string {
  const { location } = message
  if (location === null) return plainText(message)
  // esbuild counts a column in bytes, from 0.
  const before = Buffer.from(location.lineText).subarray(0, location.column).toString()
  const place = `${location.file}:${location.line}:${before.length + 1}`
  const start = Math.max(0, before.length - excerptColumns / 2)
  const excerpt = location.lineText.slice(start, start + excerptColumns)
  const gutter = `  ${location.line} | `
  const caret = `${' '.repeat(gutter.length - 2)}| ${before.slice(start).replace(/[^\t]/g, ' ')}^`
  return `${place}: ${plainText(message)}\n${gutter}${excerpt}\n${caret}`
}

function plainText(message: Message): string {
  const name = missingPackage(message)
  if (name !== undefined) return `Cannot find the package '${name}'. Install it: npm install ${name}`
  const unresolved = /^Could not resolve "(.*)"$/.exec(message.text)
  return unresolved ? `Cannot find '${unresolved[1]}'` : message.text
}

/** The package that an unresolved import asks for; undefined for a relative path and for anything that is no unresolved import. */
function missingPackage(message: Message): string | undefined {
  const path = /^Could not resolve "([^"]+)"/.exec(message.text)?.[1]
  if (path === undefined || !/^(@[\w.-]+\/)?[\w][\w.-]*(\/|$)/.test(path) || isBuiltin(path)) return undefined
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/')
}
