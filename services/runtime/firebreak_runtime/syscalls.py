"""The system calls that a service's filter has an opinion on, and their numbers on the machines that it is made for."""

from __future__ import annotations

from dataclasses import dataclass

LAST = 469
"""file_setattr of Linux 6.17. Calls of later kernels, and of x32, are answered as by a kernel that does not know them."""

_TABLE = """
name                 x86_64  aarch64  answer

ioctl                    16       29  judged
clone                    56      220  judged
socket                   41      198  judged
socketpair               53      199  judged
sendto                   44      206  judged
sendmsg                  46      211  judged
sendmmsg                307      269  judged
personality             135       92  judged
prlimit64               302      261  judged
setpriority             141      140  judged
sched_setscheduler      144      119  judged
sched_setparam          142      118  judged
sched_setattr           314      274  judged
ioprio_set              251       30  judged

clone3                  435      435  absent
io_uring_setup          425      425  absent
io_uring_enter          426      426  absent
io_uring_register       427      427  absent

unshare                 272       97  refused
setns                   308      268  refused
mount                   165       40  refused
umount2                 166       39  refused
pivot_root              155       41  refused
chroot                  161       51  refused
move_mount              429      429  refused
open_tree               428      428  refused
open_tree_attr          467      467  refused
fsopen                  430      430  refused
fsconfig                431      431  refused
fsmount                 432      432  refused
fspick                  433      433  refused
mount_setattr           442      442  refused

ptrace                  101      117  refused
process_vm_readv        310      270  refused
process_vm_writev       311      271  refused
pidfd_getfd             438      438  refused
kcmp                    312      272  refused

keyctl                  250      219  refused
add_key                 248      217  refused
request_key             249      218  refused
bpf                     321      280  refused
perf_event_open         298      241  refused
userfaultfd             323      282  refused

open_by_handle_at       304      265  refused
name_to_handle_at       303      264  refused

init_module             175      105  refused
finit_module            313      273  refused
delete_module           176      106  refused
kexec_load              246      104  refused
kexec_file_load         320      294  refused
reboot                  169      142  refused
swapon                  167      224  refused
swapoff                 168      225  refused
syslog                  103      116  refused
acct                    163       89  refused
quotactl                179       60  refused
quotactl_fd             443      443  refused
settimeofday            164      170  refused
clock_settime           227      112  refused
clock_adjtime           305      266  refused
adjtimex                159      171  refused
sethostname             170      161  refused
setdomainname           171      162  refused
iopl                    172        -  refused
ioperm                  173        -  refused
modify_ldt              154        -  refused
"""
"""judged: by its arguments; absent: ENOSYS, so that a library takes an older way; refused: EPERM."""


@dataclass(frozen=True)
class Call:
    """One system call; `numbers` are by machine, without the machines that do not have it."""

    name: str
    numbers: dict[str, int]
    answer: str


def _read(table: str) -> tuple[tuple[str, ...], tuple[Call, ...]]:
    (_, *machines, _), *rows = (line.split() for line in table.splitlines() if line)
    return tuple(machines), tuple(
        Call(name, {machine: int(text) for machine, text in zip(machines, numbers, strict=True) if text != "-"}, answer)
        for name, *numbers, answer in rows
    )


MACHINES, CALLS = _read(_TABLE)
