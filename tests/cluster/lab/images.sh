#!/usr/bin/env bash
# Makes the container images of the cases out of Debian packages, under the names public
# registries give them, as one OCI layout in $LAB_HOME/images. Skips what is there;
# images.sh NAME... (pause busybox nginx python) makes those anew.
# Needs apt (Debian or Ubuntu), gcc and python3; no registry, no root.
set -euo pipefail
. "$(dirname "$0")/home.sh"
layout=$LAB_HOME/images debs=$LAB_HOME/debs
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$layout" "$debs"; chmod a+rx "$debs"

debs() { # debs ROOTFS PACKAGE...: unpacks packages, no scripts run
  local root=$1 p; shift
  for p in "$@"; do
    if ! compgen -G "$debs/${p}_*.deb" > /dev/null; then
      command -v apt-get > /dev/null || { echo "images: $p comes from Debian's or Ubuntu's packages; apt-get is not here" >&2; exit 1; }
      (cd "$debs" && apt-get download -qq -o APT::Sandbox::User=root "$p")
    fi
    dpkg -x "$(compgen -G "$debs/${p}_*.deb" | head -n1)" "$root"
  done
}
libraries() { # libraries ROOTFS: adds the packages' shared libraries from this machine, as far as ldd names them
  local root=$1 lib
  { find "$root" -type f \( -perm -u+x -o -name '*.so*' \) -exec ldd {} + 2> /dev/null || true; } |
    grep -oE '/[^ ]+\.so[^ ]*' | sort -u | while read -r lib; do
      [ -e "$root$lib" ] || [ ! -e "$lib" ] || install -D -m755 "$(readlink -f "$lib")" "$root/$(readlink -f "$(dirname "$lib")")/$(basename "$lib")"
    done
}
base() { # base ROOTFS: a shell, the usual tools, users
  local root=$1 tool
  mkdir -p "$root"/{etc,tmp,root,run,var,usr/{bin,sbin,lib,lib64},dev,proc,sys}
  ln -s usr/bin "$root/bin"; ln -s usr/sbin "$root/sbin"; ln -s usr/lib "$root/lib"; ln -s usr/lib64 "$root/lib64"; ln -s /run "$root/var/run"
  chmod 1777 "$root/tmp"
  debs "$work/busybox" busybox
  cp "$(find "$work/busybox" -name busybox -type f -perm -u+x | head -n1)" "$root/bin/busybox"
  for tool in $("$root/bin/busybox" --list); do [ -e "$root/bin/$tool" ] || ln -s busybox "$root/bin/$tool"; done
  debs "$root" wget   # Debian's busybox crashes on "wget -T"
  printf '%s\n' root:x:0:0:root:/root:/bin/sh nobody:x:65534:65534:nobody:/:/bin/false nginx:x:101:101:nginx:/:/bin/false > "$root/etc/passwd"
  printf '%s\n' root:x:0: nogroup:x:65534: nginx:x:101: > "$root/etc/group"
  echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
}
image() { python3 "$lab/oci.py" "$layout" "$@"; } # image ROOTFS CONFIG NAME...
path='"Env":["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]'

pause() {
  mkdir -p "$work/pause"
  printf '#include <unistd.h>\n#include <signal.h>\nint main(void){sigset_t s;sigfillset(&s);sigprocmask(SIG_BLOCK,&s,0);int n;for(;;){sigwait(&s,&n);if(n==SIGTERM||n==SIGINT)return 0;}}' |
    gcc -Os -static -s -x c -o "$work/pause/pause" -
  image "$work/pause" '{"Entrypoint":["/pause"],"User":"65535:65535"}' afterwatch-lab.invalid/pause:1
}
busybox() {
  base "$work/bb"; libraries "$work/bb"
  image "$work/bb" "{\"Cmd\":[\"sh\"],$path}" docker.io/library/busybox:{latest,1.36,1.37}
}
nginx() {
  local r=$work/nginx; base "$r"; debs "$r" nginx nginx-common; libraries "$r"
  rm -rf "$r"/etc/nginx/{sites-*,modules-*} "$r"/usr/share/doc
  mkdir -p "$r"/{var/log/nginx,var/lib/nginx,var/cache/nginx,usr/share/nginx/html,etc/nginx/conf.d,run}
  ln -sf /dev/stdout "$r/var/log/nginx/access.log"; ln -sf /dev/stderr "$r/var/log/nginx/error.log"
  echo '<h1>Welcome to nginx!</h1>' > "$r/usr/share/nginx/html/index.html"
  cat > "$r/etc/nginx/nginx.conf" <<'C'
user nginx;
worker_processes 1;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http { include /etc/nginx/mime.types; default_type application/octet-stream;
  access_log /var/log/nginx/access.log; sendfile on; keepalive_timeout 65; include /etc/nginx/conf.d/*.conf; }
C
  echo 'server { listen 80; server_name localhost; location / { root /usr/share/nginx/html; index index.html; } }' > "$r/etc/nginx/conf.d/default.conf"
  image "$r" "{\"Cmd\":[\"nginx\",\"-g\",\"daemon off;\"],$path,\"ExposedPorts\":{\"80/tcp\":{}},\"StopSignal\":\"SIGQUIT\"}" \
    docker.io/library/nginx:{latest,1.27,1.28}
}
python() {
  local r=$work/python version; base "$r"
  version=$(apt-cache depends python3-minimal | grep -oE 'python3\.[0-9]+-minimal' | head -n1 | sed 's/-minimal//')
  [ -n "$version" ] || { echo "images: apt knows no Python; run apt-get update" >&2; exit 1; }
  debs "$r" "$version-minimal" "lib$version-minimal" "lib$version-stdlib"; libraries "$r"
  mkdir -p "$r/usr/local/bin"; ln -s "/usr/bin/$version" "$r/usr/local/bin/python"; ln -s "/usr/bin/$version" "$r/usr/local/bin/python3"
  image "$r" "{\"Cmd\":[\"python3\"],$path}" docker.io/library/python:{latest,3.12-slim,3.13-slim}
}

made() { grep -q "$1" "$layout/index.json" 2> /dev/null; }
if [ $# -gt 0 ]; then for i in "$@"; do "$i"; done; exit; fi
made afterwatch-lab.invalid/pause: || pause
made library/busybox: || busybox
made library/nginx: || nginx
made library/python: || python
