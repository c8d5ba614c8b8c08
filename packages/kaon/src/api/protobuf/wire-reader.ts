/** One field as it stands on the wire: its number, and its value as a number or as bytes. */
export type WireField = { number: number; value: bigint | Uint8Array }

/** The fields of one protobuf message, in order. Throws RangeError for bytes that are none. */
export function* readFields(bytes: Uint8Array): Generator<WireField> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) break
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new RangeError('a varint does not end')
  }
  const take = (count: bigint): Uint8Array => {
    if (count > BigInt(bytes.length - at)) throw new RangeError('a field is longer than its message')
    at += Number(count)
    return bytes.subarray(at - Number(count), at)
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    switch (Number(tag & 7n)) {
      case 0:
        yield { number, value: varint() }
        break
      case 1:
        yield { number, value: take(8n) }
        break
      case 2:
        yield { number, value: take(varint()) }
        break
      case 5:
        yield { number, value: take(4n) }
        break
      default:
        throw new RangeError('a field has no known wire type')
    }
  }
}
