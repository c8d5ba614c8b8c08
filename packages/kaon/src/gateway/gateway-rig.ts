import { encodeJsonLine, JsonLineDecoder } from '../base/json-lines.ts'
import type { Log } from '../base/log.ts'
import type { Server, Socket, System } from '../base/system.ts'
import type { RoutedFunction, RoutedRevision, RoutedRoute, RoutingTable } from '../model/routing-table.ts'
import { FakeReplica, type FakeReplicaOptions } from './fake-worker.ts'
import { createGateway, type GatewayOptions, type RunningGateway } from './gateway.ts'

// For tests of the gateway: the gateway itself in this process, a control socket that the test holds, and replicas that are fakes.

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }

export type RevisionGiven = { name?: string; replicas: FakeReplica[]; timeoutMs?: number; concurrency?: number }

export class GatewayRig implements AsyncDisposable {
  readonly #system: System
  readonly #folder: string
  readonly #replicas: FakeReplica[] = []
  readonly received: { kind: string; [field: string]: unknown }[] = []
  #control: Server | undefined
  #connection: Socket | undefined
  #version = 0
  table: RoutingTable = { version: '0', functions: [], revisions: [], routes: [] }
  gateway!: RunningGateway

  constructor(system: System, folder: string) {
    this.#system = system
    this.#folder = folder
  }

  get port(): number {
    return this.gateway.address.port
  }

  get socket(): string {
    return `${this.#folder}/gateway.sock`
  }

  async start(options: Partial<GatewayOptions> = {}): Promise<this> {
    await this.#system.files.writeFile(`${this.#folder}/gateway.token`, 'secret')
    await this.startControl()
    await this.startGateway(options)
    await this.until('the gateway to say hello', () => this.received.some(({ kind }) => kind === 'hello'))
    return this
  }

  async startGateway(options: Partial<GatewayOptions> = {}): Promise<void> {
    this.gateway = await createGateway(
      {
        host: '127.0.0.1',
        port: 0,
        domain: 'localhost',
        allowPathAddress: false,
        beyondLoopback: false,
        socket: this.socket,
        controlSocket: `${this.#folder}/control.sock`,
        tokenFile: `${this.#folder}/gateway.token`,
        tableFile: `${this.#folder}/gateway/table.json`,
        id: 'gateway',
        graceMs: 2_000,
        ...options,
      },
      { ...this.#system, log: silent },
    )
  }

  async startControl(): Promise<void> {
    const path = `${this.#folder}/control.sock`
    await this.#system.files.rm(path, { force: true })
    this.#control = this.#system.network.createServer((socket) => {
      const decoder = new JsonLineDecoder()
      this.#connection = socket
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        for (const message of decoder.push(chunk as Buffer)) {
          const told = message as { kind: string }
          this.received.push(told)
          if (told.kind === 'hello') {
            socket.write(encodeJsonLine({ kind: 'welcome' }))
            socket.write(encodeJsonLine({ kind: 'table', table: this.table }))
          }
        }
      })
    })
    await new Promise<void>((resolve) => this.#control?.listen(path, resolve))
  }

  stopControl(): void {
    this.#control?.close()
    this.#connection?.destroy()
  }

  replica(id: string, onCall: FakeReplicaOptions['onCall'], more: Partial<FakeReplicaOptions> = {}): Promise<FakeReplica> {
    const replica = new FakeReplica({ network: this.#system.network, folder: this.#folder, id, onCall, ...more })
    this.#replicas.push(replica)
    return replica.start()
  }

  /** One function of namespace `default` that all traffic of goes to one revision, and waits until the gateway has the table. */
  async serve(name: string, revision: RevisionGiven, more: Partial<RoutedFunction> = {}): Promise<void> {
    const revisionName = revision.name ?? `${name}-00001`
    const routed: RoutedRevision = {
      uid: `uid-${revisionName}`,
      name: revisionName,
      namespace: 'default',
      function: name,
      timeoutMs: revision.timeoutMs ?? 10_000,
      concurrency: revision.concurrency ?? 0,
      replicas: revision.replicas.map((replica, i) => ({ id: `${revisionName}-${i}`, link: replica.link })),
    }
    const fn = { namespace: 'default', name, uid: `uid-${name}`, traffic: [{ revisionUid: routed.uid, percent: 100 }], tags: {}, ...more }
    await this.publish({
      functions: [...this.table.functions.filter((other) => other.name !== name), fn],
      revisions: [...this.table.revisions.filter((other) => other.function !== name), routed],
      routes: this.table.routes,
    })
  }

  async route(route: Partial<RoutedRoute> & Pick<RoutedRoute, 'rules'>): Promise<void> {
    const { functions, revisions } = this.table
    await this.publish({ functions, revisions, routes: [...this.table.routes, { namespace: 'default', name: 'r', hosts: [], ...route }] })
  }

  async publish(table: Omit<RoutingTable, 'version'>): Promise<void> {
    this.table = { version: String(++this.#version), ...table }
    this.#connection?.write(encodeJsonLine({ kind: 'table', table: this.table }))
    await this.until('the table to be applied', () =>
      this.received.some((message) => message.kind === 'table-applied' && message['version'] === this.table.version),
    )
  }

  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = this.#system.clock.monotonic() + 5_000
    while (!(await condition())) {
      if (this.#system.clock.monotonic() > deadline) throw new Error(`Waited too long for ${what}.`)
      await this.#system.clock.sleep(2)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close()
    this.stopControl()
    for (const replica of this.#replicas) replica.kill()
    await this.#system.files.rm(this.#folder, { recursive: true, force: true })
  }
}
