import { HttpError } from '@kaon/sdk'
import type { Call } from './call.ts'
import { CallContext, type WorkerScope } from './call-context.ts'
import { toHeaders } from './call-event.ts'

type FetchTarget = { fetch(request: Request, env: Record<string, unknown>, context: CallContext): unknown }

/** Calls a web-standard handler: `fetch(request, env, context)`. `env` has the function's environment and, where no variable has the name, its secrets. */
export function fetchHandler(target: FetchTarget, env: Record<string, string>, scope: WorkerScope): (call: Call) => unknown {
  const bindings = { ...scope.secrets, ...env }
  return (call) => target.fetch(toRequest(call), bindings, new CallContext(call, scope))
}

function toRequest(call: Call): Request {
  const { method, target, headers, body } = call.incoming
  const init: RequestInit & { duplex: 'half' } = { method, headers: toHeaders(headers), signal: call.signal, duplex: 'half' }
  if (body !== undefined && method !== 'GET' && method !== 'HEAD') init.body = body.stream()
  try {
    return new Request(urlOf(call, target), init)
  } catch (cause) {
    throw new HttpError(400, `The request '${method.slice(0, 20)}' cannot be given to a fetch handler.`, { cause })
  }
}

function urlOf(call: Call, target: string): string {
  const proto = call.header('x-forwarded-proto') === 'https' ? 'https' : 'http'
  const host = call.header('x-forwarded-host') ?? call.header('host') ?? 'localhost'
  const base = `${proto}://${/^[\w.\-:[\]]+$/.test(host) ? host : 'localhost'}`
  return base + (target.startsWith('/') ? target : `/${target}`)
}
