// What the browser promises, without a relying party.
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { Browser, logIn, parseForms, passThrough } from './browser.mjs'

/** serve starts a server of these routes for one test. */
async function serve(t, routes) {
  const seen = []
  const server = http.createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const path = new URL(request.url, 'http://x').pathname
    seen.push({ method: request.method, path, body, headers: request.headers })
    response.setHeader('content-type', 'text/html')
    const route = routes[path]
    if (!route) response.statusCode = 404
    response.end(route?.(request, response, body))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { at: `http://127.0.0.1:${server.address().port}`, seen }
}

const redirect = (to, status = 303, cookies = []) => (_, response) => {
  response.statusCode = status
  response.setHeader('location', to)
  response.setHeader('set-cookie', cookies)
}

test('a form is what it would send as it stands', () => {
  const [form, second] = parseForms(`
    <!-- <form><input name="commented"></form> -->
    <input name="outside">
    <form action='/go?a=1&amp;b=2' METHOD=POST>
      <input type="hidden" name="csrf" value="a&quot;b&#43;&#x2b;">
      <input name=login value='x > y'>
      <input type=checkbox name=kept checked><input type=checkbox name=left>
      <input name=off disabled value=1>
      <button id="allow" name="answer" value="allow">Allow</button>
    </form>
    <form><input name=other></form>`)
  assert.deepEqual(form, {
    action: '/go?a=1&b=2',
    method: 'post',
    fields: [['csrf', 'a"b++'], ['login', 'x > y'], ['kept', 'on']],
    buttons: [{ id: 'allow', name: 'answer', value: 'allow' }],
  })
  assert.deepEqual(second.fields, [['other', '']])
})

test('cookies go back where they came from, and nowhere else', async (t) => {
  const { at, seen } = await serve(t, {
    '/set/here': redirect('/set/there', 303, [
      'everywhere=1; Path=/; HttpOnly',
      'below=2',
      'elsewhere=3; Path=/other',
      'secure=4; Path=/; Secure',
      '__Host-not=5; Path=/',
      'old=6; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    ]),
    '/set/there': redirect('/gone', 303, ['everywhere=; Path=/; Max-Age=0']),
    '/settle': () => '',
    '/gone': () => '',
  })
  const browser = new Browser()
  await browser.open(`${at}/set/here`)
  await browser.open(`${at}/settle`)
  await browser.open(`${at}/set/there`)
  assert.deepEqual(
    seen.map(({ path, headers }) => [path, headers.cookie]),
    [
      ['/set/here', undefined],
      ['/set/there', 'below=2; everywhere=1'],
      ['/gone', undefined],
      ['/settle', undefined],
      ['/set/there', 'below=2'],
      ['/gone', undefined],
    ],
  )
})

test('a login gives the password, allows, and stops at the application', async (t) => {
  const form = '<form method="post" action=""><input type=hidden name=csrf value=c><input name=login><input name=password><button id=submit></button></form>'
  const { at, seen } = await serve(t, {
    '/authorize': redirect('/login?attempt=1'),
    '/login': (request, response) => (request.method === 'GET' ? form : redirect('/consent')(request, response)),
    '/consent': (request, response) =>
      request.method === 'GET'
        ? '<form method=post><button id=deny name=answer value=deny></button><button id=allow name=answer value=allow></button></form>'
        : redirect('http://127.0.0.1:1/callback?code=x')(request, response),
  })
  const url = await logIn(new Browser(), `${at}/authorize`, { redirectURI: 'http://127.0.0.1:1/callback', username: 'ann', password: 'p&w' })
  assert.equal(url.href, 'http://127.0.0.1:1/callback?code=x')
  const posts = seen.filter((r) => r.method === 'POST')
  assert.deepEqual(posts.map((r) => r.body), ['csrf=c&login=ann&password=p%26w', 'answer=allow'])
  for (const { headers } of posts) {
    assert.equal(headers.origin, at)
    assert.equal(headers['sec-fetch-site'], 'same-origin')
    assert.equal(headers['sec-fetch-mode'], 'navigate')
  }
})

test('a login that does not go on says where it ended', async (t) => {
  const wrong = '<body><p>Wrong &amp; wrong again</p><form method=post><input name=login><input name=password><button id=submit></button></form>'
  const { at } = await serve(t, { '/again': () => wrong, '/page': () => '<body>An error', '/round': redirect('/round') })
  const settings = { redirectURI: 'http://127.0.0.1:1/callback', username: 'ann', password: 'p' }
  await assert.rejects(logIn(new Browser(), `${at}/again`, settings), /not accepted: Wrong & wrong again/)
  await assert.rejects(logIn(new Browser(), `${at}/page`, settings), /status 200.*An error/)
  await assert.rejects(logIn(new Browser(), `${at}/nothing`, settings), /status 404/)
  await assert.rejects(logIn(new Browser(), `${at}/round`, settings), /redirects/)
  await assert.rejects(passThrough(new Browser(), `${at}/page`, settings.redirectURI), /a page was shown/)
})
