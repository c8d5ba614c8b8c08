import { encodeJsonLine, JsonLineDecoder } from '../base/json-lines.ts'
import type { Log } from '../base/log.ts'
import { backoffMs } from '../base/retry.ts'
import type { Files, Network, Socket, System, Timer } from '../base/system.ts'
import { controlProtocolVersion, type FromGateway, type Hello, type ToGateway } from '../model/control-protocol.ts'
import type { RoutingTable } from '../model/routing-table.ts'

const redial = { firstMs: 20, maxMs: 1_000 }

export type ControlClientDeps = Pick<System, 'clock' | 'random'> & {
  network: Pick<Network, 'connect'>
  files: Pick<Files, 'readFile'>
  log: Log
  socket: string
  /** Read at each dial: whoever starts the platform may have made it anew. */
  tokenFile: string
  id: string
  pid: number
  /** The gateway's address, for those who ask the control plane. */
  address(): string
  tableVersion(): string | null
  onTable(table: RoutingTable): void
  onBack(): void
}

/** The gateway's line to the control plane. It dials for as long as it lives: the control plane may come and go. */
export class ControlClient {
  readonly #deps: ControlClientDeps
  #socket: Socket | undefined
  #isWelcome = false
  #isClosed = false
  #attempt = 0
  #retry: Timer | undefined

  constructor(deps: ControlClientDeps) {
    this.#deps = deps
    void this.#dial()
  }

  get isAway(): boolean {
    return !this.#isWelcome
  }

  send(message: FromGateway): void {
    if (this.#isWelcome) this.#socket?.write(encodeJsonLine(message))
  }

  close(): void {
    this.#isClosed = true
    this.#retry?.cancel()
    this.#socket?.destroy()
  }

  async #dial(): Promise<void> {
    const token = await this.#readToken()
    if (this.#isClosed) return
    const decoder = new JsonLineDecoder()
    const socket = this.#deps.network.connect(this.#deps.socket)
    this.#socket = socket
    socket.on('connect', () => socket.write(encodeJsonLine(this.#hello(token))))
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of decoder.push(chunk)) this.#take(message as ToGateway)
      } catch (error) {
        this.#deps.log.warn('The control plane sent something that cannot be used.', { reason: String(error) })
        socket.destroy()
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#lost())
  }

  /** Without one there is nobody to talk to yet: the dial fails and comes again. */
  async #readToken(): Promise<string> {
    try {
      return (await this.#deps.files.readFile(this.#deps.tokenFile, 'utf8')).trim()
    } catch {
      return ''
    }
  }

  #hello(token: string): Hello {
    const { id, pid, address, tableVersion } = this.#deps
    return {
      kind: 'hello',
      version: controlProtocolVersion,
      role: 'gateway',
      id,
      pid,
      token,
      address: address(),
      tableVersion: tableVersion(),
    }
  }

  #take(message: ToGateway): void {
    switch (message.kind) {
      case 'welcome':
        this.#isWelcome = true
        this.#attempt = 0
        this.#deps.onBack()
        return
      case 'table':
        this.#deps.onTable(message.table)
        this.send({ kind: 'table-applied', version: message.table.version })
        return
      case 'refused':
        this.#deps.log.error('The control plane refused this gateway.', { reason: message.reason })
        this.#socket?.destroy()
        return
      default:
        // A newer control plane may say more than this gateway knows.
        message satisfies never
    }
  }

  #lost(): void {
    this.#isWelcome = false
    if (this.#isClosed) return
    this.#retry = this.#deps.clock.after(backoffMs(++this.#attempt, redial, this.#deps.random), () => void this.#dial(), { idle: true })
  }
}
