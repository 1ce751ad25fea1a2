# Stands for the boot manager of Windows on a machine with a BIOS: starts the GRUB that follows this sector, which starts the stand-in.
#
# It is started as `bootmgr` is: at 2000:0000, with the drive in DL. GRUB's core image without its first sector belongs at 0000:8200, and
# begins there (GRUB, boot/i386/pc/startup_raw.S). It is longer than what lies between, so this sector makes room first.
        .set    low, 0x600
        .code16
        .globl _start
_start:
        cli
        cld
        push    %cs
        pop     %ds
        xor     %ax, %ax
        mov     %ax, %es
        xor     %si, %si
        mov     $low, %di
        mov     $256, %cx
        rep movsw
        ljmp    $0, $low + moved - _start
moved:  mov     $0x2020, %ax
        mov     $0x0820, %bx
        mov     $5, %bp
part:   mov     %ax, %ds
        mov     %bx, %es
        xor     %si, %si
        xor     %di, %di
        mov     $0x4000, %cx
        rep movsw
        add     $0x800, %ax
        add     $0x800, %bx
        dec     %bp
        jnz     part
        sti
        ljmp    $0, $0x8200
        .org    512
