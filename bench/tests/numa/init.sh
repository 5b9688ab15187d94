#!/bin/busybox sh
# Process 1 of the emulated machine: runs /runs.sh and sends /out, as a packed archive in base64, by the second
# serial port. What goes wrong here is seen by who reads that.
/bin/busybox mkdir -p /proc /sys /dev /tmp /out /cgroup
/bin/busybox --install -s /bin
export PATH=/bin LD_LIBRARY_PATH=/lib
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm
mount -t tmpfs -o mpol=bind:3 tmpfs /dev/shm  # where no mbind says otherwise
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup /cgroup

# run NAME COMMAND...: its status and what it says in /out.
run() {
  name=$1
  shift
  echo "$(cut -d ' ' -f 1 /proc/uptime) s: $name: $*"
  "$@" >"/out/$name.log" 2>&1 </dev/null
  echo $? >"/out/$name.status"
}

# bench NAME ARGUMENT...: zeroipc-bench with its records in /out/NAME.
bench() {
  run "$@" --out "/out/$1"
}

# in_cpuset NODES COMMAND...: with memory of these nodes only.
in_cpuset() {
  nodes=$1
  shift
  echo +cpuset >/cgroup/cgroup.subtree_control
  mkdir -p /cgroup/narrow
  echo "$nodes" >/cgroup/narrow/cpuset.mems
  sh -c 'echo $$ >/cgroup/narrow/cgroup.procs && exec "$@"' in_cpuset "$@"
}

cp /proc/mounts /out
for node in /sys/devices/system/node/node*; do
  mkdir -p "/out/nodes/${node##*/}"
  cp "$node/cpulist" "$node/distance" "$node/meminfo" "/out/nodes/${node##*/}"
done
# shellcheck disable=SC1091  # written by numa_test.py
. /runs.sh
echo "$(cut -d ' ' -f 1 /proc/uptime) s: done"
stty -F /dev/ttyS1 raw
tar cz -C /out . | base64 >/dev/ttyS1
poweroff -f
