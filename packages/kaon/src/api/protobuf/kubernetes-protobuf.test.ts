import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readKubernetesProtobuf } from './kubernetes-protobuf.ts'

const text = (value: string) => Buffer.from(value)
/** A field with a length, shorter than 128 bytes. */
const field = (number: number, ...parts: Buffer[]) => {
  const value = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([(number << 3) | 2, value.length]), value])
}
const number = (of: number, value: number) => Buffer.from([of << 3, value])
const body = (kind: string, ...message: Buffer[]) =>
  Buffer.concat([text('k8s\0'), field(1, field(1, text('v1')), field(2, text(kind))), field(2, ...message)])

test('a secret is read with its maps, times, lists and flags', () => {
  const metadata = field(
    1,
    field(1, text('keys')),
    field(2, text('')),
    field(8, number(1, 60)),
    field(11, field(1, text('a')), field(2, text(''))),
    field(14, text('x')),
    field(14, text('y')),
    field(15, text('unknown')),
  )
  const secret = body('Secret', metadata, field(2, field(1, text('p')), field(2, Buffer.from([0, 255]))), field(3, text('')), number(5, 1))
  assert.deepEqual(readKubernetesProtobuf(secret), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'keys', creationTimestamp: '1970-01-01T00:01:00Z', labels: { a: '' }, finalizers: ['x', 'y'] },
    data: { p: 'AP8=' },
    immutable: true,
  })
})

test('what is no such message is refused', () => {
  const wrong = [
    Buffer.alloc(0),
    text('{}'),
    text('k8s\0'),
    body('Pod'),
    body('toString'),
    body('Secret', number(1, 1)),
    body('Secret').subarray(0, 12),
  ]
  for (const bytes of wrong) assert.throws(() => readKubernetesProtobuf(bytes), { code: 'invalid_request' }, bytes.toString('hex'))
})

test('no bytes do more than be refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        readKubernetesProtobuf(body('Secret', Buffer.from(bytes.subarray(0, 100))))
        readKubernetesProtobuf(bytes)
      } catch (error) {
        assert.equal((error as { code: string }).code, 'invalid_request')
      }
    }),
    { seed: 7, numRuns: 500 },
  )
})
