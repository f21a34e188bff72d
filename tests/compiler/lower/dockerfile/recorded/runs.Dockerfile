FROM BASE
SHELL ["/bin/sh", "-exc"]
RUN --network=none true && \
   # comment
   echo a \
   b
RUN <<-EOT
	echo tab
	EOT
RUN <<A <<B cat
1
A
2
B
RUN 3<<A cat <&3
x
A
RUN <<E
#!/bin/sh
echo script
E
RUN ["sh", "-c", "echo 'hi $PATH'"]
run   echo   lower
