FROM BASE
WORKDIR /w
RUN --mount=type=secret,id=one true
RUN --mount=type=secret,id=a/b,uid=3 --mount=type=secret,target=/x/y,mode=0440,gid=7 --mount=type=secret,source=s,dst=rel true
RUN --mount=type=ssh true
RUN --mount=type=ssh,id=k,target=/s,mode=0666 --mount=type=ssh,uid=8 echo $SSH_AUTH_SOCK
ENV SSH_AUTH_SOCK=/own
RUN --mount=type=tmpfs,target=/a --mount=type=ssh,required=false --mount=type=secret,id=z,required=0,ro true
