import { encodeJsonLine } from '../base/json-lines.ts'
import type { Files, Network, Server, Socket } from '../base/system.ts'
import { type FromSupervisor, type LinkWorker, linkProtocolVersion } from '../model/link-protocol.ts'

/** A gateway that reads nothing is cut off before it costs memory; it dials again and is told the whole truth. */
const maxPendingBytes = 1024 * 1024

export type LinkServerDeps = {
  network: Pick<Network, 'createServer'>
  files: Pick<Files, 'rm' | 'chmod'>
  path: string
  replica: string
  revisionUid: string
}

/** Tells every gateway that connects where the workers are, and which ones died. */
export class LinkServer {
  readonly #deps: LinkServerDeps
  readonly #server: Server
  readonly #connections = new Set<Socket>()
  #workers: FromSupervisor & { kind: 'workers' } = { kind: 'workers', draining: false, workers: [] }

  constructor(deps: LinkServerDeps) {
    this.#deps = deps
    this.#server = deps.network.createServer((socket) => this.#accept(socket))
  }

  get path(): string {
    return this.#deps.path
  }

  async listen(): Promise<void> {
    await this.#deps.files.rm(this.#deps.path, { force: true })
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#deps.path, resolve)
    })
    await this.#deps.files.chmod(this.#deps.path, 0o600)
  }

  /** The whole truth, told to all and to whoever comes later. */
  tellWorkers(draining: boolean, workers: LinkWorker[]): void {
    this.#workers = { kind: 'workers', draining, workers }
    this.#broadcast(this.#workers)
  }

  tellGone(gone: Omit<FromSupervisor & { kind: 'gone' }, 'kind'>): void {
    this.#broadcast({ kind: 'gone', ...gone })
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.end()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#connections) socket.destroySoon()
    })
    await this.#deps.files.rm(this.#deps.path, { force: true }).catch(() => undefined)
  }

  #accept(socket: Socket): void {
    this.#connections.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#connections.delete(socket))
    socket.resume()
    const { replica, revisionUid } = this.#deps
    this.#send(socket, { kind: 'hello', replica, revisionUid, version: linkProtocolVersion })
    this.#send(socket, this.#workers)
  }

  #broadcast(message: FromSupervisor): void {
    for (const socket of this.#connections) this.#send(socket, message)
  }

  #send(socket: Socket, message: FromSupervisor): void {
    if (socket.writableLength > maxPendingBytes) socket.destroy()
    else socket.write(encodeJsonLine(message))
  }
}
