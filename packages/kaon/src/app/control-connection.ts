import { encodeJsonLine, JsonLineDecoder } from '../base/json-lines.ts'
import type { Clock, Socket, Timer } from '../base/system.ts'
import { controlProtocolVersion, type Hello } from '../model/control-protocol.ts'

/** Longest message that a replica or gateway may send. */
const incomingLimitBytes = 1024 * 1024
/** What may wait for a peer that does not read. */
const outgoingLimitBytes = 64 * 1024 * 1024
const helloWithinMs = 5_000

/** One dialled connection: JSON lines, of which the first must be a hello. */
export class ControlConnection {
  readonly #socket: Socket
  readonly #decoder = new JsonLineDecoder(incomingLimitBytes)
  readonly #onHello: (hello: Hello) => void
  readonly #messages: ((message: unknown) => void)[] = []
  readonly #closes: (() => void)[] = []
  readonly #helloTimer: Timer
  #hello: Hello | undefined

  constructor(socket: Socket, clock: Pick<Clock, 'after'>, onHello: (connection: ControlConnection, hello: Hello) => void) {
    this.#socket = socket
    this.#onHello = (hello) => onHello(this, hello)
    this.#helloTimer = clock.after(helloWithinMs, () => this.refuse('No hello came.'), { idle: true })
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#helloTimer.cancel()
      for (const listener of this.#closes) listener()
    })
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#messages.push(listener)
  }

  onClose(listener: () => void): void {
    this.#closes.push(listener)
  }

  send(message: unknown): void {
    if (this.#socket.destroyed) return
    if (this.#socket.writableLength > outgoingLimitBytes) this.#socket.destroy()
    else this.#socket.write(encodeJsonLine(message))
  }

  refuse(reason: string): void {
    this.send({ kind: 'refused', reason })
    this.close()
  }

  close(): void {
    this.#socket.destroySoon()
  }

  #take(chunk: Buffer): void {
    try {
      for (const message of this.#decoder.push(chunk)) {
        if (this.#hello !== undefined) for (const listener of this.#messages) listener(message)
        else this.#greet(message)
      }
    } catch {
      this.#socket.destroy()
    }
  }

  #greet(message: unknown): void {
    const hello = readHello(message)
    this.#helloTimer.cancel()
    this.#hello = hello
    if (hello === undefined) this.refuse('The first message must be a hello.')
    else if (hello.version !== controlProtocolVersion)
      this.refuse(`Version ${hello.version} of the protocol is not spoken here, but ${controlProtocolVersion}.`)
    else this.#onHello(hello)
  }
}

function readHello(message: unknown): Hello | undefined {
  const hello = message as Partial<Hello> | null
  const isHello =
    hello?.kind === 'hello' &&
    typeof hello.version === 'number' &&
    typeof hello.id === 'string' &&
    typeof hello.token === 'string' &&
    hello.id.length <= 64
  return isHello && (hello.role === 'gateway' || hello.role === 'replica') ? (hello as Hello) : undefined
}
