# Stands for the boot manager of Windows on a machine with a BIOS: says on the serial port what it was given, and switches the
# machine off.
#
# It is started as the boot sector of its partition, or GRUB in its place, starts the real one: at 2000:0000, with the drive
# in DL, and the boot sector at 0000:7c00, whose count of hidden sectors says where the partition begins.
        .code16
        .globl _start
_start:
        push    %cs
        pop     %ds
        xor     %ax, %ax
        mov     %ax, %es
        mov     %dl, %bl
        mov     $drive, %si
        call    print
        mov     %bl, %al
        shl     $24, %eax
        mov     $2, %cx
        call    hexadecimal
        mov     $sector, %si
        call    print
        mov     %es:0x7c1c, %eax
        mov     $8, %cx
        call    hexadecimal
        mov     $end, %si
        call    print

        # Advanced power management 1.2: connect, version, all devices off.
        mov     $0x5301, %ax
        xor     %bx, %bx
        int     $0x15
        mov     $0x530e, %ax
        xor     %bx, %bx
        mov     $0x0102, %cx
        int     $0x15
        mov     $0x5307, %ax
        mov     $1, %bx
        mov     $3, %cx
        int     $0x15
stop:   hlt
        jmp     stop

# The text at SI, up to its zero.
print:  lodsb
        test    %al, %al
        jz      printed
        call    put
        jmp     print
printed: ret

# The first CX digits of EAX.
hexadecimal:
        rol     $4, %eax
        push    %eax
        and     $0x0f, %al
        add     $'0', %al
        cmp     $'9', %al
        jbe     digit
        add     $('a' - '9' - 1), %al
digit:  call    put
        pop     %eax
        loop    hexadecimal
        ret

# AL, to the first serial port.
put:    push    %dx
        push    %ax
        mov     $0x3fd, %dx
busy:   in      (%dx), %al
        test    $0x20, %al
        jz      busy
        pop     %ax
        mov     $0x3f8, %dx
        out     %al, (%dx)
        pop     %dx
        ret

drive:  .asciz  "stand-in: bootmgr was started from drive "
sector: .asciz  ", partition at sector "
end:    .asciz  "\r\n"
