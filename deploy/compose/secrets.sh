# Makes what of the secrets isn't there yet, in the working directory. Each folder is a volume of its
# own; who gets to see the volume decides, so all may read. Each file appears whole or not at all.
set -eu
umask 022

random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
keep() { [ -s "$1" ] || { cat >"$1.new" && mv "$1.new" "$1"; }; }

mkdir -p admin database postgres redis redis-server
random | keep admin/api-key
random | keep postgres/password
random | keep postgres/owner-password
echo "requirepass $(random)" | keep redis-server/redis.conf
echo "postgresql://payment:$(cat postgres/owner-password)@postgres:5432/payment" | keep database/url
echo "redis://:$(sed 's/requirepass //' redis-server/redis.conf)@redis:6379" | keep redis/url
