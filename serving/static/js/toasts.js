// A toast goes by itself, but never while someone points at it or is in it.
const SECONDS = 12;
document.querySelectorAll("#toasts .toast").forEach((toast) => {
  let left = SECONDS;
  const clock = setInterval(() => {
    if (toast.matches(":hover, :focus-within")) return;
    left -= 1;
    if (left <= 0) {
      clearInterval(clock);
      toast.remove();
    }
  }, 1000);
});
