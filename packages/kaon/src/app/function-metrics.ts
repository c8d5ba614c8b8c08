import type { Clock, Network } from '../base/system.ts'
import type { Platform } from '../platforms/platform.ts'

const answerWithinMs = 2_000
const answerLimitBytes = 8 * 1024 * 1024

export type FunctionMetricsDeps = {
  network: Pick<Network, 'httpRequest'>
  clock: Pick<Clock, 'after'>
  platform: Pick<Platform, 'replicas'>
  adminSocketOf(replicaId: string): string
}

/** Metrics of a function's replicas, asked of each one, as one exposition. A replica that does not answer in time is left out. */
export function createFunctionMetrics(deps: FunctionMetricsDeps): (namespace: string, name: string) => Promise<string> {
  return async (namespace, name) => {
    const own = deps.platform.replicas().filter(({ revision }) => revision?.namespace === namespace && revision.function === name)
    const texts = await Promise.all(own.map(({ id }) => readMetrics(deps, deps.adminSocketOf(id)).catch(() => '')))
    return mergeExpositions(texts)
  }
}

function readMetrics({ network, clock }: FunctionMetricsDeps, socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = network.httpRequest({ socketPath, path: '/metrics', headers: { host: 'localhost' } }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
        if (text.length > answerLimitBytes) request.destroy(new Error('too long'))
      })
      response.on('end', () => resolve(response.statusCode === 200 ? text : ''))
      response.on('error', reject)
    })
    const timer = clock.after(answerWithinMs, () => request.destroy(new Error('too slow')))
    request.on('error', reject)
    request.on('close', () => timer.cancel())
    request.end()
  })
}

/** The samples of one metric together, under one HELP and one TYPE, as the format demands. */
export function mergeExpositions(texts: readonly string[]): string {
  const families = new Map<string, { comments: string[]; samples: string[] }>()
  for (const text of texts) {
    let current: { comments: string[]; samples: string[] } | undefined
    for (const line of text.split('\n')) {
      const named = /^# (?:HELP|TYPE) (\S+)/.exec(line)?.[1]
      if (named !== undefined) {
        current = families.get(named) ?? { comments: [], samples: [] }
        families.set(named, current)
        if (!current.comments.includes(line)) current.comments.push(line)
      } else if (line !== '' && !line.startsWith('#')) current?.samples.push(line)
    }
  }
  return [...families.values()].map(({ comments, samples }) => `${[...comments, ...samples].join('\n')}\n`).join('')
}
