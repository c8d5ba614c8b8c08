import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KaonError } from '../base/errors.ts'
import { parseWords } from './parse.ts'

const command = {
  name: 'demo',
  arguments: { path: { description: 'Where.', optional: true }, rest: { description: 'More.', optional: true, many: true } },
  options: {
    env: { type: 'strings', description: '' },
    follow: { type: 'boolean', short: 'f', description: '' },
    wait: { type: 'boolean', default: true, description: '' },
    level: { type: 'string', choices: ['debug', 'info'], description: '' },
    port: { type: 'integer', range: [1, 65_535], description: '', environment: 'KAON_PORT' },
    timeout: { type: 'duration', default: '5m', description: '' },
    help: { type: 'boolean', short: 'h', description: '' },
  },
} as const

function refusal(words: string[], environment: Record<string, string> = {}): KaonError {
  try {
    parseWords(command, words, environment)
  } catch (error) {
    return error as KaonError
  }
  throw new Error(`'${words.join(' ')}' was taken`)
}

test('options and words may stand in any order, and what follows -- is words', () => {
  const { args, options } = parseWords(command, ['here', '--env', 'A=1', '-f', '--env=B=2', 'more', '--', '--follow'], {})
  assert.deepEqual(args, { path: 'here', rest: ['more', '--follow'] })
  assert.deepEqual(options['env'], ['A=1', 'B=2'])
  assert.equal(options['follow'], true)
})

test('what is not given has its default, durations in ms', () => {
  const { args, options, given } = parseWords(command, [], {})
  assert.deepEqual(args, { path: undefined, rest: [] })
  assert.deepEqual({ ...options }, { env: [], follow: false, wait: true, level: undefined, port: undefined, timeout: 300_000, help: false })
  assert.equal(given.size, 0)
})

test('a boolean is turned off by --no- and by =false', () => {
  assert.equal(parseWords(command, ['--no-wait'], {}).options['wait'], false)
  assert.equal(parseWords(command, ['--wait=false'], {}).options['wait'], false)
  assert.equal(refusal(['--wait=maybe']).code, 'usage')
})

test('an option goes before its variable, and the variable is checked as the option is', () => {
  assert.equal(parseWords(command, ['--port', '1'], { KAON_PORT: '2' }).options['port'], 1)
  assert.equal(parseWords(command, [], { KAON_PORT: '2' }).options['port'], 2)
  assert.match(refusal([], { KAON_PORT: 'x' }).message, /'KAON_PORT' a whole number from 1 to 65535, not 'x'/)
})

test('an unknown option is refused with the one that was meant', () => {
  const error = refusal(['--folow'])
  assert.equal(error.code, 'usage')
  assert.match(error.message, /'--folow'/)
  assert.match(error.hint ?? '', /'--follow'/)
  assert.match(refusal(['--no-env']).message, /'--no-env'/)
  assert.match(refusal(['--constructor']).message, /'--constructor'/)
})

test('values are checked by type, choice and range', () => {
  assert.match(refusal(['--level', 'inof']).hint ?? '', /'info'/)
  assert.match(refusal(['--timeout', '5 minutes']).message, /duration/)
  assert.match(refusal(['--port', '70000']).message, /65535, not '70000'/)
  assert.match(refusal(['--port', '0x10']).message, /not '0x10'/)
  assert.match(refusal(['--level']).message, /'--level' a value/)
  assert.match(refusal(['--level', '--follow']).message, /looks like an option/)
})

test('a word that is missing or too many is named', () => {
  const one = { name: 'one', arguments: { name: { description: 'The function.' } }, options: {} }
  assert.throws(() => parseWords(one, [], {}), /NAME: the function/)
  assert.throws(() => parseWords(one, ['a', 'b'], {}), /one word too many: 'b'/)
})

test('help is given before the words are complete', () => {
  const one = { name: 'one', arguments: { name: { description: 'The function.' } }, options: command.options }
  assert.equal(parseWords(one, ['-h'], {}).options['help'], true)
})
