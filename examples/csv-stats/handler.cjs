// A large upload is read as it arrives: memory stays flat however long the file is.
exports.streamBody = true

exports.handler = async (event) => {
  const decoder = new TextDecoder('utf-8')
  let rest = ''
  let header
  const columns = []
  let rows = 0
  const take = (line) => {
    if (line === '') return
    const cells = line.split(',')
    if (!header) {
      header = cells
      for (const name of cells) columns.push({ name, count: 0, sum: 0, min: Infinity, max: -Infinity })
      return
    }
    rows++
    if (cells.length !== header.length)
      throw Object.assign(new Error(`Row ${rows} has ${cells.length} cells; the header has ${header.length}.`), { status: 422 })
    cells.forEach((cell, i) => {
      const value = cell === '' ? Number.NaN : Number(cell)
      if (Number.isNaN(value)) return
      const column = columns[i]
      column.count++
      column.sum += value
      column.min = Math.min(column.min, value)
      column.max = Math.max(column.max, value)
    })
  }
  for await (const chunk of event.stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/)
    rest = lines.pop()
    lines.forEach(take)
  }
  take(rest)
  if (!header) throw Object.assign(new Error('The file is empty.'), { status: 422 })
  return {
    rows,
    columns: columns
      .filter((c) => c.count > 0)
      .map((c) => ({ name: c.name, count: c.count, sum: c.sum, min: c.min, max: c.max, mean: c.sum / c.count })),
  }
}
