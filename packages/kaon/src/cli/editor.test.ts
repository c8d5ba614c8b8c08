import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitWords } from './editor.ts'

test('an editor is split into words as a shell would, without being one', () => {
  assert.deepEqual(splitWords('code --wait'), ['code', '--wait'])
  assert.deepEqual(splitWords(`"/Applications/My Editor/bin" -n 'a b' c\\ d`), ['/Applications/My Editor/bin', '-n', 'a b', 'c d'])
  assert.deepEqual(splitWords('vi; rm -rf $HOME'), ['vi;', 'rm', '-rf', '$HOME'])
})
