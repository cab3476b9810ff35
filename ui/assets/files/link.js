// The browser's end of ui/push: connect, prove who we are, show what comes, say so when nothing comes.
// It keeps no state of its own beyond the session secret, and it never queues: what cannot be sent now is dropped.
'use strict'

const policy = trustedTypes.createPolicy('kiosk', { createHTML: s => s })
const store = 'session'

// Link connects to url. first(key) makes the first frame, draw(frame) is called after each new screen is in place.
function Link(url, first, draw) {
  let ws = null, boot = '', view = '', heard = performance.now(), wait = 200, gone = false
  const lost = document.getElementById('lost')

  function connect() {
    ws = new WebSocket(url)
    ws.onopen = () => ws.send(first(sessionStorage.getItem(store) || ''))
    ws.onmessage = e => { heard = performance.now(); wait = 200; lost.hidden = true; take(JSON.parse(e.data)) }
    ws.onclose = e => {
      if (e.code === 4409) { gone = true; lost.hidden = false; return } // another page took over
      setTimeout(connect, wait)
      wait = Math.min(wait * 2, 2000)
    }
  }

  function take(f) {
    if (f.key) { sessionStorage.setItem(store, f.key); return }
    if (f.html === undefined) return // heartbeat
    if (boot && boot !== f.boot) { location.reload(); return }
    boot = f.boot
    morph(f.html)
    api.instance = f.inst
    const app = document.getElementById('app')
    document.documentElement.lang = app.lang
    if (app.dataset.view !== view) { view = app.dataset.view; announce(app) }
    draw(f)
  }

  // Morphing keeps the pressed button in place, so that a push between finger down and finger up loses no tap. What
  // a person opened, ticked or typed stays: open, checked and value are never overwritten. (Not ignoreActiveValue:
  // it skips the children of whatever has the focus, and that is <main>.)
  function morph(html) {
    const doc = new DOMParser().parseFromString(policy.createHTML(html), 'text/html')
    Idiomorph.morph(document.getElementById('app'), doc.getElementById('app'), {
      callbacks: { beforeAttributeUpdated: name => !['open', 'checked', 'value'].includes(name) },
    })
  }

  function announce(app) {
    const place = app.querySelector('[data-focus]') || document.getElementById('main')
    if (place) place.focus({ preventScroll: true })
    for (const e of app.querySelectorAll('.body')) e.scrollTop = 0
    const title = app.querySelector('[role=dialog] h2') || document.getElementById('title')
    document.getElementById('say').textContent = title ? title.textContent : ''
  }

  setInterval(() => { if (!gone && performance.now() - heard > 5000) lost.hidden = false }, 500)
  const api = {
    instance: 0,
    send(frame) { if (ws && ws.readyState === WebSocket.OPEN && lost.hidden) ws.send(frame) },
  }
  connect()
  return api
}
