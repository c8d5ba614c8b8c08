import { KaonError } from '../../base/errors.ts'
import type { Condition, Resource } from '../../model/metadata.ts'
import { notFoundMessage } from '../api-errors.ts'
import { defineCommand } from '../command.ts'
import { findByPath } from '../output/json-path.ts'
import { find, findType, pathOf } from '../resource-api.ts'
import { splitKind } from '../target.ts'
import { waitFor } from '../wait-for.ts'

export const wait = defineCommand({
  name: 'wait',
  description: 'Waits until a condition holds, a field has a value, or a resource is gone. Exits with 6 when it takes too long.',
  arguments: {
    target: { description: 'KIND/NAME, or a kind followed by names.', complete: 'kinds' },
    name: { description: 'Names, after a kind.', optional: true, many: true, complete: 'functions' },
  },
  options: {
    for: {
      type: 'string',
      value: 'WHAT',
      default: 'condition=Ready',
      description: "condition=TYPE[=STATUS], delete, or jsonpath='{PATH}'=VALUE.",
    },
    timeout: { type: 'duration', value: 'DURATION', default: '60s', description: 'How long.' },
  },
  examples: [
    { does: 'until it serves', line: 'kaon wait function/hello --for=condition=Ready' },
    { does: 'until it is gone', line: 'kaon wait function/hello --for=delete --timeout=30s' },
  ],
  async run(invocation) {
    const { args, options, api, settings, terminal } = invocation
    const goal = readGoal(options.for)
    for (const { kind, name } of splitKind(args.target, args.name)) {
      if (name === undefined) throw new KaonError('usage', `Name the ${kind} to wait for, as in '${kind}/NAME'.`)
      const type = await findType(api, kind)
      const path = pathOf(type, settings.namespace, name)
      if (!goal.isGone && (await find(api, path)) === undefined)
        throw new KaonError('not_found', notFoundMessage(type.kind.toLowerCase(), name, type.namespaced ? settings.namespace : undefined))
      await waitFor(invocation, { type, namespace: settings.namespace, name }, goal.holds, { timeoutMs: options.timeout, what: goal.what })
      terminal.out(`${type.kind.toLowerCase()}/${name} ${goal.isGone ? 'deleted' : 'condition met'}\n`)
    }
    return 0
  },
})

type Goal = { what: string; isGone: boolean; holds(object: Resource | undefined): boolean }

function readGoal(text: string): Goal {
  if (text === 'delete') return { what: 'gone', isGone: true, holds: (object) => object === undefined }
  const condition = /^condition=([\w./-]+?)(?:=(\w+))?$/.exec(text)
  if (condition !== null) {
    const [, type = '', status = 'True'] = condition
    return { what: status === 'True' ? type : `${type}=${status}`, isGone: false, holds: (object) => conditionHolds(object, type, status) }
  }
  const path = /^jsonpath=['"]?\{?(.*?)\}?['"]?=(.*)$/.exec(text)
  if (path === null) throw new KaonError('usage', `Give '--for' condition=TYPE[=STATUS], delete or jsonpath='{PATH}'=VALUE, not '${text}'.`)
  const [, where = '', wanted = ''] = path
  return {
    what: `${where}=${wanted}`,
    isGone: false,
    holds: (object) => findByPath(where, object).some((value) => String(value) === wanted),
  }
}

function conditionHolds(object: Resource | undefined, type: string, status: string): boolean {
  const { conditions, observedGeneration } = (object?.status ?? {}) as { conditions?: Condition[]; observedGeneration?: number }
  const found = conditions?.find((one) => one.type.toLowerCase() === type.toLowerCase())
  // A condition of an earlier generation says nothing of what was asked for since.
  const seen = found?.observedGeneration ?? observedGeneration
  if (seen !== undefined && seen < (object?.metadata.generation ?? 0)) return false
  return found?.status.toLowerCase() === status.toLowerCase()
}
