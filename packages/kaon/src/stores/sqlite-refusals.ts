import type { Refusal } from './sqlite-messages.ts'
import type { ObjectKey } from './store.ts'

export function objectExists(key: ObjectKey): Refusal {
  return { code: 'already_exists', message: `${describeKey(key)} exists already.` }
}

export function noSuchObject(key: ObjectKey): Refusal {
  return { code: 'not_found', message: `${describeKey(key)} does not exist.` }
}

export function objectChanged(key: ObjectKey, expected: string, found: number): Refusal {
  return {
    code: 'conflict',
    message: `${describeKey(key)} was changed by somebody else: its resourceVersion is ${found}, not ${expected}.`,
    hint: 'Read it again and repeat the change.',
  }
}

export function versionExpired(version: string | number): Refusal {
  return {
    code: 'expired',
    message: `What changed since resourceVersion ${version} is no longer kept.`,
    hint: 'List again and watch from there.',
  }
}

function describeKey({ resource, namespace, name }: ObjectKey): string {
  return `${resource} '${namespace === '' ? '' : `${namespace}/`}${name}'`
}
