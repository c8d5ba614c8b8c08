/** Content by its digest (`sha256:` and 64 hexadecimal digits): sources and whatever else is uploaded. */
export interface BlobStore {
  /** Keeps the bytes of `content` and returns their digest. Throws `body_too_large` past `limitBytes`, and then keeps nothing. */
  put(content: AsyncIterable<Uint8Array>, limitBytes: number): Promise<{ digest: string; bytes: number }>
  /** The bytes, checked against the digest while they are read; undefined when they are not there. */
  get(digest: string): Promise<AsyncIterable<Uint8Array> | undefined>
  /** Digests with the time they were last put, for the collector. */
  list(): Promise<{ digest: string; putAt: number }[]>
  remove(digest: string): Promise<void>
}
