/** Headers that are not passed on: those that end at this hop (RFC 9110, 7.6.1), and the request's id, which the gateway says itself. */
export const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'x-request-id',
])
