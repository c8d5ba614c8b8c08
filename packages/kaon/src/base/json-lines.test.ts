import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeJsonLine, JsonLineDecoder } from './json-lines.ts'

test('messages come out whole and in order, wherever the bytes were cut', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), fc.array(fc.nat(40), { minLength: 1, maxLength: 20 }), (messages, cuts) => {
      const bytes = Buffer.from(messages.map(encodeJsonLine).join(''))
      const decoder = new JsonLineDecoder()
      const received: unknown[] = []
      for (let start = 0, i = 0; start < bytes.length; i++) {
        const end = start + 1 + cuts[i % cuts.length]!
        received.push(...decoder.push(bytes.subarray(start, end)))
        start = end
      }
      assert.deepEqual(received, JSON.parse(JSON.stringify(messages)))
    }),
    { numRuns: 200 },
  )
})

test('a decoder keeps none of the buffer that it was given', () => {
  const decoder = new JsonLineDecoder()
  const chunk = Buffer.from('{"a":')
  assert.deepEqual(decoder.push(chunk), [])
  chunk.fill(0)
  assert.deepEqual(decoder.push(Buffer.from('1}\n')), [{ a: 1 }])
})

test('empty lines say nothing', () => {
  assert.deepEqual(new JsonLineDecoder().push(Buffer.from('\n\n1\n\n')), [1])
})

test('a line that is longer than the limit is a protocol error, in one piece or in many', () => {
  assert.throws(() => new JsonLineDecoder(10).push(Buffer.from(`"${'x'.repeat(20)}"\n`)), { code: 'protocol_error' })
  const decoder = new JsonLineDecoder(10)
  decoder.push(Buffer.from('"xxxxxx'))
  assert.throws(() => decoder.push(Buffer.from('xxxxxx')), { code: 'protocol_error' })
})

test('what is no JSON is a protocol error', () => {
  assert.throws(() => new JsonLineDecoder().push(Buffer.from('{a}\n')), { code: 'protocol_error' })
})
