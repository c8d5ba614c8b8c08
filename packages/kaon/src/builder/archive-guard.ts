import { KaonError } from '../base/errors.ts'
import { type ArchiveEntry, archiveLimits } from './archive-entry.ts'

/**
 * Decides which entries of an archive may be unpacked, and where to. Pure: it knows the folder only by what it has let in, which is all that
 * there is in a folder that was empty. Throws `archive_unsafe` or `archive_too_large` with the name of the entry.
 */
export class ArchiveGuard {
  readonly #packedBytes: number
  #entries = 0
  #unpackedBytes = 0
  #current = ''
  /** Folded spelling → what stands there. File systems of macOS hold `A` and `a`, and both spellings of `é`, for the same name. */
  readonly #taken = new Map<string, { path: string; kind: 'file' | 'directory' | 'symlink' }>()

  constructor(packedBytes: number) {
    this.#packedBytes = packedBytes
  }

  get entries(): number {
    return this.#entries
  }

  /** The relative path for the entry; undefined for the root itself. */
  admit(entry: ArchiveEntry): string | undefined {
    this.#current = entry.name
    if (++this.#entries > archiveLimits.entries) throw tooLarge(`it has more than ${archiveLimits.entries} entries`, entry.name)
    if (entry.kind === 'other') throw unsafe(entry.name, `is a ${entry.what}; only files, folders and symbolic links are unpacked`)
    const segments = safeSegments(entry.name)
    if (segments.length === 0) {
      if (entry.kind === 'directory') return undefined
      throw unsafe(entry.name, 'has no name')
    }
    if (entry.kind === 'symlink') checkLinkTarget(entry.name, segments.length - 1, entry.target)
    for (let length = 1; length < segments.length; length++) this.#take(segments.slice(0, length), 'directory', entry.name)
    this.#take(segments, entry.kind, entry.name)
    return segments.join('/')
  }

  /** Counts unpacked bytes as they come, before anything is done with them. */
  count(bytes: number): void {
    this.#unpackedBytes += bytes
    if (this.#unpackedBytes > archiveLimits.unpackedBytes)
      throw tooLarge(`it unpacks to more than ${archiveLimits.unpackedBytes} bytes`, this.#current)
    if (this.#unpackedBytes > archiveLimits.ratioFromBytes && this.#unpackedBytes > archiveLimits.ratio * this.#packedBytes)
      throw tooLarge(`it unpacks to more than ${archiveLimits.ratio} times its size`, this.#current)
  }

  #take(segments: string[], kind: 'file' | 'directory' | 'symlink', name: string): void {
    const path = segments.join('/')
    const key = path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC')
    const there = this.#taken.get(key)
    if (there === undefined) this.#taken.set(key, { path, kind })
    else if (there.path !== path) throw unsafe(name, `and '${there.path}' differ only in spelling`)
    else if (there.kind !== 'directory' || kind !== 'directory')
      throw unsafe(name, there.kind === 'symlink' ? 'goes through a symbolic link of the archive' : 'is there twice')
  }
}

function safeSegments(name: string): string[] {
  if (name.includes('\0')) throw unsafe(name, 'has a NUL in its name')
  if (name.includes('\\')) throw unsafe(name, 'has a backslash in its name')
  if (name.includes('\ufffd')) throw unsafe(name, 'has a name that is not UTF-8')
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) throw unsafe(name, 'has an absolute path')
  if (Buffer.byteLength(name) > archiveLimits.pathBytes) throw unsafe(name, `has a path of more than ${archiveLimits.pathBytes} bytes`)
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.')
  if (segments.includes('..')) throw unsafe(name, 'leaves the folder')
  if (segments.length > archiveLimits.depth) throw unsafe(name, `is more than ${archiveLimits.depth} folders deep`)
  return segments
}

/** Throws `archive_unsafe` unless a link `depth` folders below the root stays within it. */
export function checkLinkTarget(name: string, depth: number, target: string): void {
  if (target === '' || target.includes('\0') || target.includes('\\') || target.startsWith('/') || /^[A-Za-z]:/.test(target))
    throw unsafe(name, 'is a symbolic link to an absolute or unusable path')
  const segments = target.split('/').filter((segment) => segment !== '' && segment !== '.')
  const up = segments.findIndex((segment) => segment !== '..')
  const ups = up === -1 ? segments.length : up
  // `..` only at the front: behind another link it would mean that link's own folder, wherever that is.
  if (ups > depth || segments.slice(ups).includes('..')) throw unsafe(name, 'is a symbolic link that leaves the folder')
}

function unsafe(name: string, what: string): KaonError {
  return new KaonError('archive_unsafe', `The archive was not unpacked: '${shown(name)}' ${what}.`)
}

function tooLarge(what: string, name: string): KaonError {
  return new KaonError('archive_too_large', `The archive was not unpacked: ${what}, at '${shown(name)}'.`, {
    hint: 'Leave out what the build does not need, such as node_modules.',
  })
}

/** A name from outside, fit for a message. */
function shown(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return name.slice(0, 200).replace(/[\x00-\x1f\x7f]/g, '?')
}
