// The navigation drawer closes when one of its links is followed in place.
const navigation = document.getElementById("navigation");
const current = navigation?.querySelector('[aria-current="page"]');
if (current && navigation.scrollHeight > navigation.clientHeight) {
  current.scrollIntoView({ block: "nearest" });
}
