// Goes on as soon as the frames of the page are there, and without them if one of them
// never is.
(function () {
  var link = document.getElementById('return');
  var gone = false;
  function go() {
    if (link && !gone) {
      gone = true;
      window.location.replace(link.href);
    }
  }
  window.addEventListener('load', go);
  window.setTimeout(go, 3000);
})();
