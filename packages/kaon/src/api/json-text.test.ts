import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseJson } from './json-text.ts'

const where = (text: string) => {
  try {
    parseJson(text)
    return 'fine'
  } catch (error) {
    return (error as Error).message.replace('The body is not JSON: ', '')
  }
}

test('a broken text is refused with the place where it stops being JSON', () => {
  const cases: [string, string][] = [
    ['', 'line 1, column 1.'],
    ['{', 'line 1, column 2.'],
    ['{"a" 1}', 'line 1, column 6.'],
    ['{"a":1,}', 'line 1, column 8.'],
    ['[1,]', 'line 1, column 4.'],
    ['[1\n 2]', 'line 2, column 2.'],
    ["{'a':1}", 'line 1, column 2.'],
    ['{"a":1}}', 'line 1, column 8.'],
    ['{"a":1]', 'line 1, column 7.'],
    ['"a\nb"', 'line 1, column 1.'],
    ['01', 'line 1, column 2.'],
    ['nul', 'line 1, column 1.'],
    ['{"a":{"b":[1,2,{"c":tru}]}}', 'line 1, column 21.'],
    ['{1:2}', 'line 1, column 2.'],
  ]
  for (const [text, place] of cases) assert.equal(where(text), place, text)
  assert.doesNotMatch(where('{"password": hunter2}'), /hunter2/)
})

test('whatever is cut off at any place is refused at its end or before, and what is whole is read', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(), (value, at) => {
      const text = JSON.stringify(value)
      assert.deepEqual(parseJson(text), JSON.parse(text))
      const cut = text.slice(0, at % text.length)
      const place = where(cut)
      if (place !== 'fine') assert.ok(Number(/column (\d+)/.exec(place)?.[1]) <= cut.length + 1)
    }),
  )
})
