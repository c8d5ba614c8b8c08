import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closestWord } from './closest-word.ts'

const words = ['timeout', 'traffic', 'triggers', 'env', 'min', 'max']

test('a slip of the fingers finds the word that was meant', () => {
  const slips = { timeuot: 'timeout', TimeOut: 'timeout', trafic: 'traffic', trigger: 'triggers', evn: 'env', mim: 'min' }
  for (const [slip, meant] of Object.entries(slips)) assert.equal(closestWord(slip, words), meant, slip)
})

test('a word that is like none finds none', () => {
  for (const word of ['xyzzy', '', 'a'.repeat(10_000)]) assert.equal(closestWord(word, words), undefined)
})
