#!/bin/bash
# Trains one model on several machines under Slurm, one process on each, with all of its GPUs:
#
#     sbatch --nodes 4 examples/slurm.sh mlp --dataset mnist
#
# Arguments are those of `zoo train`. The directory of the job must be on a file system that all
# machines share, and have the data. When a machine fails, Slurm queues the job again, and the run is
# resumed after its last finished epoch.

#SBATCH --job-name=zoo
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append

set -euo pipefail

run_dir=runs/slurm-$SLURM_JOB_ID
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)

export KERAS_BACKEND=jax
export KERAS_DISTRIBUTION_NUM_PROCESSES=$SLURM_NTASKS
export KERAS_DISTRIBUTION_JOB_ADDRESSES=$first:$((20000 + SLURM_JOB_ID % 10000))

resume=()
if [ -e "$run_dir/config.json" ]; then
    resume=(--resume)
fi

srun --kill-on-bad-exit=1 \
    bash -c 'KERAS_DISTRIBUTION_PROCESS_ID=$SLURM_PROCID exec zoo train "$@"' zoo \
    "$@" --devices all --run-dir "$run_dir" "${resume[@]}"
