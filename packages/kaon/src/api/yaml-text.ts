import { Composer, type Document, isNode, isScalar, Lexer, type Pair, Parser, visit } from 'yaml'
import { KaonError } from '../base/errors.ts'
import { positionOf } from './json-text.ts'
import { badRequest } from './object-errors.ts'

/** Reading YAML costs far more a byte than reading JSON, and all other requests wait for it: these bound the time. */
export const maxYamlBytes = 256 * 1024
const maxLexemes = 50_000
const maxNesting = 100
const maxAliases = 100

/** The value of the one document in `text`. Throws `invalid_request` with the place, in time that grows with the length alone. */
export function parseYaml(text: string): unknown {
  try {
    const document = compose(text)
    const [error] = document.errors
    if (error !== undefined) throw misfit(text, yamlReason(error.code), error.pos[0])
    checkNodes(document, text)
    return document.toJS({ maxAliasCount: maxAliases })
  } catch (error) {
    if (error instanceof KaonError) throw error
    throw badRequest('The body is not YAML: its aliases do not resolve.')
  }
}

function compose(text: string): Document.Parsed {
  // The library looks for keys that are there twice by comparing each with all before it.
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: 'silent' })
  const [first, second] = composer.compose(boundedTokens(text), true, text.length)
  if (second !== undefined) throw misfit(text, 'a second document starts', second.range[0])
  return first as Document.Parsed
}

/** The library composes documents by recursion once their tokens are whole, so too deep ones must end before. */
function* boundedTokens(text: string) {
  const parser = new Parser()
  let lexemes = 0
  for (const lexeme of new Lexer().lex(text)) {
    if (++lexemes > maxLexemes)
      throw badRequest(`The body has more than ${maxLexemes} parts, which is all that is taken as YAML. Send it as JSON.`)
    yield* parser.next(lexeme)
    if (parser.stack.length > maxNesting) throw badRequest(`The body is nested deeper than ${maxNesting} levels.`)
  }
  yield* parser.end()
}

/** Each alias is resolved by a walk over the whole document, so there may be few. */
function checkNodes(document: Document.Parsed, text: string): void {
  let aliases = 0
  visit(document, {
    Alias: () => {
      if (++aliases > maxAliases) throw badRequest(`The body has more than ${maxAliases} aliases.`)
    },
    Map: (_, { items }) => checkKeys(items, text),
  })
}

function checkKeys(items: readonly Pair[], text: string): void {
  const seen = new Set<string>()
  for (const { key } of items) {
    if (!isScalar(key)) throw misfit(text, 'a key is no text', isNode(key) ? (key.range?.[0] ?? 0) : 0)
    // As they will be named in the value: there 1 and "1" are the same.
    const name = String(key.value ?? '')
    if (seen.has(name)) throw misfit(text, 'a key is there twice', key.range?.[0] ?? 0)
    seen.add(name)
  }
}

function misfit(text: string, reason: string, offset: number): KaonError {
  const { line, column } = positionOf(text, offset)
  return badRequest(`The body is not YAML: ${reason} at line ${line}, column ${column}.`)
}

/** The parser's own messages repeat the text, which may be a secret. */
function yamlReason(code: string): string {
  return code.toLowerCase().replaceAll('_', ' ')
}
