/**
 * Greets whoever is named in the query: `?name=Ada`.
 *
 * @param {import('@kaon/sdk').Event} event
 * @param {import('@kaon/sdk').Context} context
 */
export default function hello(event, context) {
  const name = event.query.get('name') ?? 'world'
  context.logger.info('greeting', { name })
  return { greeting: `Hello, ${name}!` }
}
