import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHost } from '../app/host.ts'
import { KaonError } from '../base/errors.ts'
import { dataOption, withDataOption } from './data-option.ts'

const host = { ...createHost(), environment: { HOME: '/home/ada' }, workingFolder: '/' }

test('a data folder that commands would not find by themselves is named, as a shell takes it', () => {
  assert.equal(dataOption({ host }, '/home/ada/.local/share/kaon'), '')
  assert.equal(dataOption({ host }, "/tmp/it's here"), ` --data '/tmp/it'\\''s here'`)
  assert.equal(dataOption({ host: { ...host, environment: { KAON_DATA: '/srv/kaon' } } }, '/srv/kaon'), '')
})

test('the hint on a locked folder stops the platform of that folder; other errors stay as they are', () => {
  const locked = withDataOption(new KaonError('data_locked', 'In use.'), { host }, '/tmp/data') as KaonError
  assert.match(locked.hint ?? '', /'kaon stop --data \/tmp\/data'/)
  const other = new Error('x')
  assert.equal(withDataOption(other, { host }, '/tmp/data'), other)
})
