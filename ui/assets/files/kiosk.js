// The kiosk page: taps go up as frames of 64 bytes, the camera preview comes down its own websocket.
'use strict'

const base = location.origin.replace(/^http/, 'ws')
const pad = o => JSON.stringify(o).padEnd(64)

// The launcher opens /#t=<token>; the token is good once and leaves the address bar at once.
let token = new URLSearchParams(location.hash.slice(1)).get('t') || ''
if (location.hash) history.replaceState(null, '', location.pathname)

function auth(key) {
  const k = token || key
  token = ''
  return pad({ t: 'auth', k: k.padEnd(22, 'A').slice(0, 22) })
}

let n = 0
let view = ''
const link = Link(base + '/ws', key => { n = 0; return auth(key) }, () => {
  const app = document.getElementById('app'), field = app.querySelector('.field.active')
  if (field && app.dataset.view === view) field.scrollIntoView({ block: 'nearest' }) // not before the first key
  view = app.dataset.view
  preview()
})

// A tap counts for the screen on which the finger went down. Buttons marked calm ignore the second half of a
// double tap, so that nothing final happens by accident.
let down = 0, lastTap = -1000
addEventListener('pointerdown', () => { down = link.instance }, true)
addEventListener('click', e => {
  const b = e.target.closest('button[data-t]')
  if (!b || b.disabled || b.closest('[inert]')) return
  const now = performance.now(), quick = now - lastTap < 500
  lastTap = now
  if (b.dataset.calm && quick) return
  const s = e.detail === 0 ? link.instance : down // detail 0: pressed by a keyboard
  link.send(pad({ t: b.dataset.t, i: Number(b.dataset.i), s, n: ++n }))
})
addEventListener('contextmenu', e => e.preventDefault())

// The preview exists only while the canvas is on the screen. Two frames may be under way; each one drawn asks for
// the next. The middle of a frame is shown larger, so that a face at the right distance (a quarter of the frame, as
// the daemon's guidance wants it) fills the oval; the mirror is in the style sheet.
const zoom = 1.8
let cam = null
function preview() {
  const canvas = document.getElementById('preview')
  if (!canvas && cam) { cam.close(); cam = null }
  if (!canvas || cam) return
  const ws = cam = new WebSocket(base + '/cam')
  let drawn = 0
  ws.binaryType = 'arraybuffer'
  ws.onopen = () => ws.send(auth(sessionStorage.getItem('session') || ''))
  ws.onclose = () => { if (cam === ws) { cam = null; setTimeout(preview, 300) } }
  ws.onmessage = async e => {
    const to = document.getElementById('preview')
    try {
      const pic = await createImageBitmap(new Blob([e.data], { type: 'image/jpeg' }))
      const w = Math.min(pic.width, pic.height * 4 / 3) / zoom, h = w * 3 / 4
      if (to) to.getContext('2d').drawImage(pic, (pic.width - w) / 2, (pic.height - h) / 2, w, h, 0, 0, to.width, to.height)
      pic.close()
    } catch { /* a broken frame is skipped */ }
    if (ws.readyState === WebSocket.OPEN) ws.send(pad({ t: 'ack', i: 0, s: 0, n: ++drawn }))
  }
}
