#!/usr/bin/env bash
# A Slurm of one node in a folder of its own: no root, no munge, no database; it leaves /etc as it is.
#   cluster.sh up FOLDER      start it; then `export SLURM_CONF=FOLDER/slurm.conf PATH=FOLDER/bin:$PATH`
#   cluster.sh down FOLDER    end its jobs and stop it
# Needs slurmctld and slurmd (`apt-get install slurm-wlm`). Nobody is authenticated: for tests only.
set -euo pipefail
folder=$(realpath -m "$2")
export SLURM_CONF=$folder/slurm.conf PATH=$PATH:/usr/sbin:/sbin

up() {
    mkdir -p "$folder/state" "$folder/spool" "$folder/bin"
    local node srun port=$((20000 + RANDOM % 10000))
    node=$(hostname -s)
    # Snakemake clears every SLURM_ variable inside a job, and srun would look for the configuration in /etc.
    srun=$(command -v srun)
    printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$srun" > "$folder/bin/srun"
    chmod +x "$folder/bin/srun"
    cat > "$SLURM_CONF" << CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/none
CredType=cred/none
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
# Without cgroups the memory of a job is watched, once a second, and a job that takes too much is killed.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
MinJobAge=3600
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$(awk '/MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00 State=UP
CONF
    slurmctld
    slurmd
    for _ in $(seq 60); do
        [[ $(sinfo --noheader --format %T 2> "$folder/sinfo.log") == idle ]] && return
        sleep 1
    done
    cat "$folder"/*.log >&2
    return 1
}

down() {
    scancel --user "$(id -un)" || true
    for _ in $(seq 60); do  # a daemon that stops first leaves their processes behind
        [[ -z $(squeue --noheader --states=running,completing || true) ]] && break
        sleep 1
    done
    for daemon in slurmd slurmctld; do
        [[ -s $folder/$daemon.pid ]] && kill "$(cat "$folder/$daemon.pid")"
    done
}

"$1"
