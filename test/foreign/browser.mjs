// A browser without a window: it keeps cookies, follows redirects, and fills in
// forms. It speaks plain node:http, because fetch decides by itself about headers
// that are a browser's to send, and those are looked at here.
import http from 'node:http'
import https from 'node:https'

const MAX_STEPS = 20

export class Browser {
  #cookies = [] // {name, value, host, path, secure}

  /** open goes to an address by GET and on to wherever that leads, or stops at stopAt. */
  open(url, stopAt) {
    return this.#go('GET', new URL(url), undefined, { 'sec-fetch-site': 'none' }, stopAt)
  }

  /** submit sends a form of the page with these values, by the button with this id. */
  submit(page, form, values, buttonID, stopAt) {
    const fields = new URLSearchParams()
    for (const [name, value] of form.fields) fields.append(name, values[name] ?? value)
    for (const name of Object.keys(values)) {
      if (!fields.has(name)) throw new Error(`the form has no field ${name}`)
    }
    const button = form.buttons.find((b) => b.id === buttonID)
    if (!button) throw new Error(`the form has no button #${buttonID}`)
    if (button.name) fields.append(button.name, button.value)

    const target = new URL(form.action || page.url, page.url)
    if (form.method === 'get') {
      target.search = fields.toString()
      return this.#go('GET', target, undefined, { 'sec-fetch-site': 'same-origin' }, stopAt)
    }
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      origin: page.url.origin,
      'sec-fetch-site': page.url.origin === target.origin ? 'same-origin' : 'cross-site',
    }
    return this.#go('POST', target, fields.toString(), headers, stopAt)
  }

  async #go(method, url, body, headers, stopAt) {
    const begun = url.origin
    for (let step = 0; step < MAX_STEPS; step++) {
      const answer = await this.#send(method, url, body, headers)
      if (answer.status < 300 || answer.status >= 400 || !answer.headers.location) {
        return { url, status: answer.status, headers: answer.headers, text: answer.text, forms: parseForms(answer.text) }
      }
      const next = new URL(answer.headers.location, url)
      if (stopAt && next.origin + next.pathname === stopAt) return { url: next, arrived: true, forms: [], text: '' }
      if (answer.status !== 307 && answer.status !== 308) {
        method = 'GET'
        body = undefined
        headers = { 'sec-fetch-site': next.origin === begun ? headers['sec-fetch-site'] : 'cross-site' }
      }
      url = next
    }
    throw new Error(`more than ${MAX_STEPS} redirects, the last to ${url}`)
  }

  #send(method, url, body, headers) {
    const cookies = this.#cookiesFor(url)
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      method,
      timeout: 30_000,
      headers: {
        accept: 'text/html',
        'accept-language': 'en',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        ...(cookies && { cookie: cookies }),
        ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
    })
    return new Promise((resolve, reject) => {
      request.on('timeout', () => request.destroy(new Error(`no answer from ${url.origin}`)))
      request.on('error', reject)
      request.on('response', (response) => {
        const parts = []
        response.on('data', (part) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          for (const line of response.headers['set-cookie'] ?? []) this.#keep(line, url)
          resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() })
        })
      })
      request.end(body)
    })
  }

  /** RFC 6265, section 5.3, as far as a server of one host can ask for it. */
  #keep(line, url) {
    const [pair, ...attributes] = line.split(';').map((part) => part.trim())
    const cut = pair.indexOf('=')
    const cookie = { name: pair.slice(0, cut), value: pair.slice(cut + 1), host: url.hostname, path: defaultPath(url), secure: false }
    let gone = false
    for (const attribute of attributes) {
      const [name, value = ''] = attribute.split(/=(.*)/s)
      switch (name.toLowerCase()) {
        case 'path':
          if (value.startsWith('/')) cookie.path = value
          break
        case 'secure':
          cookie.secure = true
          break
        case 'max-age':
          gone = Number(value) <= 0
          break
        case 'expires':
          gone ||= Date.parse(value) <= Date.now()
          break
      }
    }
    if (cookie.secure && url.protocol !== 'https:') return // section 8.6 of its successor
    if (cookie.name.startsWith('__Host-') && !(cookie.secure && cookie.path === '/')) return
    const same = (c) => c.name === cookie.name && c.host === cookie.host && c.path === cookie.path
    this.#cookies = this.#cookies.filter((c) => !same(c))
    if (!gone) this.#cookies.push(cookie)
  }

  #cookiesFor(url) {
    return this.#cookies
      .filter((c) => c.host === url.hostname && covers(c.path, url.pathname) && (!c.secure || url.protocol === 'https:'))
      .sort((a, b) => b.path.length - a.path.length)
      .map((c) => `${c.name}=${c.value}`)
      .join('; ')
  }
}

function defaultPath(url) {
  const cut = url.pathname.lastIndexOf('/')
  return cut > 0 ? url.pathname.slice(0, cut) : '/'
}

function covers(path, requested) {
  return requested === path || (requested.startsWith(path) && (path.endsWith('/') || requested[path.length] === '/'))
}

/**
 * logIn opens an authorization request and does what the pages ask for: it gives
 * the password, allows the application, and returns the URL by which the browser
 * would have come back to the application.
 */
export async function logIn(browser, url, { redirectURI, username, password, connector }) {
  let page = await browser.open(url, redirectURI)
  let given = false
  for (let step = 0; step < MAX_STEPS && !page.arrived; step++) {
    const login = page.forms.find((f) => f.fields.some(([name]) => name === 'login'))
    const consent = page.forms.find((f) => f.buttons.some((b) => b.id === 'allow'))
    const choice = linkTo(page, `connector-${connector}`)
    if (login) {
      if (given) throw new Error(`the password was not accepted: ${readable(page.text)}`)
      given = true
      page = await browser.submit(page, login, { login: username, password }, 'submit', redirectURI)
    } else if (consent) {
      page = await browser.submit(page, consent, {}, 'allow', redirectURI)
    } else if (choice) {
      page = await browser.open(choice, redirectURI)
    } else {
      throw new Error(`the login ended on a page, status ${page.status}, at ${page.url}: ${readable(page.text)}`)
    }
  }
  return page.url
}

/** passThrough opens an authorization request that must come back without a page. */
export async function passThrough(browser, url, redirectURI) {
  const page = await browser.open(url, redirectURI)
  if (!page.arrived) throw new Error(`a page was shown, status ${page.status}, at ${page.url}: ${readable(page.text)}`)
  return page.url
}

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

function decode(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(parseInt(hex, 16))
    if (decimal) return String.fromCodePoint(Number(decimal))
    return ENTITIES[name] ?? whole
  })
}

function parseAttributes(text) {
  const attributes = {}
  for (const [, name, double, single, bare] of text.matchAll(/([^\s=/>"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?/g)) {
    attributes[name.toLowerCase()] ??= decode(double ?? single ?? bare ?? '')
  }
  return attributes
}

const tags = (html, names) =>
  [...html.replace(/<!--.*?-->/gs, '').matchAll(new RegExp(`<(/?)(${names})\\b((?:[^>"']|"[^"]*"|'[^']*')*)>`, 'gi'))].map(
    ([, closing, name, attributes]) => ({ closing: closing !== '', name: name.toLowerCase(), at: parseAttributes(attributes) }),
  )

/** parseForms returns the forms of a page with what they would send as they stand. */
export function parseForms(html) {
  const forms = []
  let form
  for (const { closing, name, at } of tags(html, 'form|input|button')) {
    if (name === 'form') {
      form = closing ? undefined : { action: at.action ?? '', method: (at.method ?? 'get').toLowerCase(), fields: [], buttons: [] }
      if (form) forms.push(form)
    } else if (!form || closing || 'disabled' in at) {
      continue
    } else if (name === 'button' || at.type === 'submit') {
      form.buttons.push({ id: at.id, name: at.name, value: at.value ?? '' })
    } else if (at.name && (!['checkbox', 'radio'].includes(at.type) || 'checked' in at)) {
      form.fields.push([at.name, at.value ?? (at.type === 'checkbox' ? 'on' : '')])
    }
  }
  return forms
}

function linkTo(page, id) {
  const link = tags(page.text, 'a').find(({ at }) => at.id === id)
  return link && new URL(link.at.href, page.url)
}

/** readable is what a person would see of a page, for an error message. */
function readable(html) {
  const body = html.replace(/^.*<body[^>]*>/is, '').replace(/<(script|style)\b.*?<\/\1>/gis, '')
  return decode(body.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim().slice(0, 500)
}
