// Tells the application around the frame whether the same person is signed in still:
// OpenID Connect Session Management 1.0, section 3.2. It is written for browsers that
// know little, without anything that has to be waited for.
(function () {
  'use strict';

  var name = document.documentElement.getAttribute('data-cookie');

  function state() {
    var all = document.cookie.split(';');
    for (var i = 0; i < all.length; i++) {
      var one = all[i].replace(/^ +/, '');
      if (one.indexOf(name + '=') === 0) {
        return one.substring(name.length + 1);
      }
    }
    return '';
  }

  function bytes(text) {
    var encoded = unescape(encodeURIComponent(text));
    var all = [];
    for (var i = 0; i < encoded.length; i++) {
      all.push(encoded.charCodeAt(i));
    }
    return all;
  }

  // The constants of FIPS 180-4: the first bits of the roots of the first primes.
  var rounds = [], start = [];
  (function () {
    function bits(root) {
      return ((root - Math.floor(root)) * 4294967296) | 0;
    }
    for (var n = 2; rounds.length < 64; n++) {
      var prime = true;
      for (var d = 2; d * d <= n; d++) {
        if (n % d === 0) {
          prime = false;
          break;
        }
      }
      if (prime) {
        if (start.length < 8) {
          start.push(bits(Math.pow(n, 1 / 2)));
        }
        rounds.push(bits(Math.pow(n, 1 / 3)));
      }
    }
  })();

  function turn(x, n) {
    return (x >>> n) | (x << (32 - n));
  }

  function sha256(message) {
    var length = message.length, i, t;
    message = message.concat([0x80]);
    while (message.length % 64 !== 56) {
      message.push(0);
    }
    message.push(0, 0, 0, 0, (length >>> 21) & 255, (length >>> 13) & 255, (length >>> 5) & 255, (length << 3) & 255);
    var h = start.slice(0);
    for (i = 0; i < message.length; i += 64) {
      var w = [];
      for (t = 0; t < 64; t++) {
        if (t < 16) {
          var at = i + 4 * t;
          w[t] = (message[at] << 24) | (message[at + 1] << 16) | (message[at + 2] << 8) | message[at + 3];
        } else {
          var s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ (w[t - 15] >>> 3);
          var s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ (w[t - 2] >>> 10);
          w[t] = (w[t - 16] + s0 + w[t - 7] + s1) | 0;
        }
      }
      var a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
      for (t = 0; t < 64; t++) {
        var t1 = (k + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + rounds[t] + w[t]) | 0;
        var t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        k = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
      }
      h = [(h[0] + a) | 0, (h[1] + b) | 0, (h[2] + c) | 0, (h[3] + d) | 0, (h[4] + e) | 0, (h[5] + f) | 0, (h[6] + g) | 0, (h[7] + k) | 0];
    }
    var sum = [];
    for (i = 0; i < 8; i++) {
      sum.push((h[i] >>> 24) & 255, (h[i] >>> 16) & 255, (h[i] >>> 8) & 255, h[i] & 255);
    }
    return sum;
  }

  function base64url(sum) {
    var digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    var text = '';
    for (var i = 0; i < sum.length; i += 3) {
      var n = (sum[i] << 16) | ((sum[i + 1] || 0) << 8) | (sum[i + 2] || 0);
      for (var j = 0; j < 4 && i * 8 + j * 6 < sum.length * 8; j++) {
        text += digits.charAt((n >>> (18 - 6 * j)) & 63);
      }
    }
    return text;
  }

  function answer(message, origin) {
    if (typeof message !== 'string' || !origin || origin === 'null') {
      return 'error';
    }
    var said = message.split(' ');
    var salt = said.length === 2 ? said[1].split('.') : [];
    if (!said[0] || salt.length !== 2 || !salt[0] || !salt[1]) {
      return 'error';
    }
    var now = base64url(sha256(bytes(said[0] + ' ' + origin + ' ' + state() + ' ' + salt[1])));
    return now === salt[0] ? 'unchanged' : 'changed';
  }

  window.addEventListener('message', function (e) {
    if (e.source) {
      e.source.postMessage(answer(e.data, e.origin), e.origin === 'null' ? '*' : e.origin);
    }
  }, false);
})();
