// CommonJS, as much of npm still is.
const { PNG } = require('pngjs')
const { HttpError } = require('@kaon/sdk')

const largest = 4096

/** Averages the block of source pixels behind each target pixel. */
function shrink(source, width, height) {
  const target = new PNG({ width, height })
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const x0 = Math.floor((x * source.width) / width)
      const x1 = Math.max(x0 + 1, Math.floor(((x + 1) * source.width) / width))
      const y0 = Math.floor((y * source.height) / height)
      const y1 = Math.max(y0 + 1, Math.floor(((y + 1) * source.height) / height))
      for (let channel = 0; channel < 4; channel++) {
        let sum = 0
        for (let sy = y0; sy < y1; sy++) for (let sx = x0; sx < x1; sx++) sum += source.data[(sy * source.width + sx) * 4 + channel]
        target.data[(y * width + x) * 4 + channel] = Math.round(sum / ((x1 - x0) * (y1 - y0)))
      }
    }
  }
  return target
}

/** `POST /?width=64` with a PNG → a smaller PNG of the same shape. */
module.exports = (event) => {
  const wanted = Number(event.query.get('width') ?? 128)
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > 1024) throw new HttpError(400, 'width is a whole number from 1 to 1024.')
  const body = Buffer.from(event.body)
  const isPng = body.length > 24 && body.readUInt32BE(0) === 0x89504e47
  if (!isPng) throw new HttpError(415, 'Send a PNG.')
  if (body.readUInt32BE(16) > largest || body.readUInt32BE(20) > largest) throw new HttpError(413, `A side has at most ${largest} pixels.`)
  let source
  try {
    source = PNG.sync.read(body)
  } catch (error) {
    throw new HttpError(422, `The PNG is broken: ${error.message}`)
  }
  const width = Math.min(wanted, source.width)
  const image = shrink(source, width, Math.max(1, Math.round((source.height * width) / source.width)))
  return { headers: { 'content-type': 'image/png' }, body: PNG.sync.write(image) }
}
