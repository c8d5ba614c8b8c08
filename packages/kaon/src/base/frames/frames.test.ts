import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isKaonError } from '../errors.ts'
import { FrameDecoder, FrameKind, maxPayloadBytes } from './frame.ts'
import { FrameWriter } from './frame-writer.ts'
import { commonNames, readRequestHead, readResponseHead, readTrailers } from './head.ts'

type Seen = { kind: number; flags: number; stream: number; payload: Buffer }

function decodeAll(chunks: Buffer[]): Seen[] {
  const decoder = new FrameDecoder()
  const seen: Seen[] = []
  for (const chunk of chunks)
    decoder.push(chunk, (kind, flags, stream, payload) => seen.push({ kind, flags, stream, payload: Buffer.from(payload) }))
  return seen
}

const request = { method: 'GET', target: '/a?b=c', requestId: 'r-1', deadlineMs: 1500, headers: ['host', 'x', 'x-own', 'ä', 'cookie', ''] }

function sample(): Buffer {
  const writer = new FrameWriter()
  writer.hello(1, 1000, 7)
  writer.request(1, request, false)
  writer.data(1, Buffer.from('hello'), false)
  writer.data(1, Buffer.alloc(70_000, 5), true)
  writer.response(1, { status: 201, headers: ['content-type', 'text/plain'] }, false)
  writer.trailers(1, ['grpc-status', '0'])
  writer.credit(1, 99)
  writer.cancel(2, 1)
  writer.refused(3, 2)
  writer.started(4)
  writer.bare(FrameKind.ping)
  return Buffer.concat(writer.take())
}

test('frames come out as they went in, wherever the bytes are split', () => {
  const bytes = sample()
  const whole = decodeAll([bytes])
  assert.deepEqual(
    whole.map((f) => f.kind),
    [1, 2, 4, 4, 4, 3, 5, 6, 7, 8, 9, 10],
  )
  assert.deepEqual(readRequestHead((whole[1] as Seen).payload), request)
  assert.deepEqual(readResponseHead((whole[5] as Seen).payload), { status: 201, headers: ['content-type', 'text/plain'] })
  assert.deepEqual(readTrailers((whole[6] as Seen).payload), ['grpc-status', '0'])
  assert.equal((whole[3] as Seen).payload.length, maxPayloadBytes)
  assert.equal((whole[4] as Seen).flags, 1)
  const head = bytes.subarray(0, 300)
  for (let at = 1; at < head.length; at++) assert.deepEqual(decodeAll([head.subarray(0, at), head.subarray(at)]), decodeAll([head]))
  assert.deepEqual(decodeAll(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))), whole)
})

test('any head survives the round trip', () => {
  const latin1 = fc.string({ unit: fc.integer({ min: 32, max: 255 }).map((c) => String.fromCharCode(c)), maxLength: 60 })
  const name = fc.oneof(fc.constantFrom(...commonNames), fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/))
  fc.assert(
    fc.property(
      fc.constantFrom('GET', 'POST', 'PROPFIND'),
      latin1,
      fc.array(fc.tuple(name, latin1), { maxLength: 30 }),
      (method, target, pairs) => {
        const writer = new FrameWriter()
        const head = { method, target, requestId: 'id', deadlineMs: 0, headers: pairs.flat() }
        writer.request(9, head, true)
        const [frame] = decodeAll(writer.take())
        assert.deepEqual(readRequestHead((frame as Seen).payload), head)
      },
    ),
    { seed: 1, numRuns: 300 },
  )
})

test('text goes as the bytes of its UTF-8', () => {
  const long = fc.integer({ min: 8_000, max: 9_000 }).map((length) => 'ä'.repeat(length))
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), long), (text) => {
      const [asText, asBytes] = [new FrameWriter(), new FrameWriter()]
      asText.text(5, text, Buffer.byteLength(text), true)
      asBytes.data(5, Buffer.from(text), true)
      assert.deepEqual(decodeAll(asText.take()), decodeAll(asBytes.take()))
    }),
    { seed: 2, numRuns: 300 },
  )
})

test('garbage never does more than throw protocol_error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      for (const read of [readRequestHead, readResponseHead, readTrailers]) {
        try {
          read(Buffer.from(bytes))
        } catch (error) {
          assert.ok(isKaonError(error) && error.code === 'protocol_error')
        }
      }
      try {
        decodeAll([Buffer.from(bytes)])
      } catch (error) {
        assert.ok(isKaonError(error) && error.code === 'protocol_error')
      }
    }),
    { seed: 2, numRuns: 3000 },
  )
})

test('a writer that was emptied goes on with the same slab and never overwrites what it gave away', () => {
  const writer = new FrameWriter()
  writer.data(1, Buffer.from('first'), true)
  const first = Buffer.concat(writer.take())
  const kept = writer.take()
  writer.data(2, Buffer.from('other'), true)
  assert.equal(kept.length, 0)
  assert.equal(decodeAll([first])[0]?.payload.toString(), 'first')
  assert.equal(decodeAll(writer.take())[0]?.payload.toString(), 'other')
})
