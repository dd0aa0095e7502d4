# Makes what of the secrets isn't there yet, in the working directory, which is a volume of their own.
# Readable for all: who gets to see the volume decides. Each appears whole or not at all.
set -eu
umask 022

random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
keep() { [ -s "$1" ] || { cat >"$1.new" && mv "$1.new" "$1"; }; }

random | keep admin-api-key
random | keep postgres-password
random | keep redis-password
echo "postgresql://payment:$(cat postgres-password)@postgres:5432/payment" | keep database-url
echo "redis://:$(cat redis-password)@redis:6379" | keep redis-url
echo "requirepass $(cat redis-password)" | keep redis.conf
