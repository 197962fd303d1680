#!/bin/busybox sh
# The guest's first process. It stays in memory; the command runs in the host's own files, which
# are mounted read-only below a layer that forgets. Only the folder $RIG_FOLDER (from the kernel's
# command line) is really shared.
export PATH=/bin
/bin/busybox --install -s /bin
fail() {
    echo "rig: $*"
    dmesg | tail -20
    reboot -f
}
mkdir -p /proc /sys /host /layer /root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module parameters; do
    # shellcheck disable=SC2086
    insmod "/$module" $parameters || fail "cannot load $module"
done </order

share=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o "ro,$share,cache=loose" host /host || fail "cannot mount the host's files"
mount -t tmpfs -o size=75% layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root ||
    fail "cannot layer the host's files"
mkdir -p /dev/pts /dev/shm /root/run
mount -t devpts -o ptmxmode=666 pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /root/run
mount -t configfs config /sys/kernel/config
ln -s /proc/self/fd /dev/fd
for folder in proc sys dev; do
    mkdir -p "/root/$folder"
    mount --rbind "/$folder" "/root/$folder"
done
mkdir -p "/root$RIG_FOLDER"
mount -t 9p -o "$share,cache=none" folder "/root$RIG_FOLDER" || fail "cannot mount $RIG_FOLDER"
ifconfig lo 127.0.0.1 up
hostname rig

cd "/root$RIG_FOLDER" || fail "no $RIG_FOLDER"
chroot /root /bin/sh "$RIG_FOLDER/command.sh" </dev/null >output 2>&1
echo $? >exit_code
sync
# QEMU runs with -no-reboot: this ends it.
reboot -f
