FROM BASE AS tools
WORKDIR /tools
RUN --mount=type=cache,target=/c mkdir -p share && echo tool > share/tool
FROM tools
ARG WHAT=cache
ENV DIR=/var/cache
WORKDIR /w
RUN --mount=type=$WHAT,target=${DIR}/x/.,sharing=locked true
RUN --mount=type=cache,id=one,dst=/c,ro --mount=type=cache,id=two,target=c,sharing=private true
RUN --mount=type=cache,target=/c,mode=1770,uid=4,gid=6 --mount=type=cache,target=/d,gid=0 true
RUN --mount=type=cache,target=/c,from=tools,source=tools/share,uid=5 cat /c/tool
RUN --mount=type=cache,target=/e,id=owned,from=TOOLS,uid=5 true
RUN --mount=from=tools,target=/t --mount=type=bind,from=tools,source=/tools/,target=u/,rw cat /t/tools/share/tool
RUN --mount='type=tmpfs,"target=/a,b",size=1m' --mount=type=tmpfs,target=/r,ro,size=0.5g true
RUN --mount=type=tmpfs,target=t <<E
#!/bin/sh
touch t/x
E
RUN --mount=type=bind,from=scratch,target=/empty ls /empty
RUN --network=none --mount=type=tmpfs,target=/v ["/bin/true", "$DIR"]
