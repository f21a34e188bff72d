FROM BASE AS base
WORKDIR /w
FROM base AS middle
COPY --link --from=base /etc/passwd .
COPY --link --chown=3:4 --from=0 /etc/passwd /etc/group /x/
COPY --link --chmod=600 --from=base /etc/passwd /m
COPY --link --chown=1 <<A <<-"B" sub/
one $PATH
A
	two $PATH
B
FROM scratch
COPY --link --from=middle /etc/g* /
COPY --link=false --from=base /etc/passwd /etc/
ADD --link <<C /c
C
