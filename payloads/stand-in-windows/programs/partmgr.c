/*
 * partmgr.sys of the stand-in: a drive that is opened as \\.\C: says which partition it is, and what is on it, as it does in Windows.
 *
 * Wine's mount manager knows no partitions. The stand-in's first process has read them from the tables of the disks, and has left
 * the answers in a file for each drive (initramfs/drives), with a link to the device of the partition.
 */
#include <ntifs.h>

/* The @ stands for the letter. */
#define ANSWERS L"\\??\\unix\\run\\stand-in\\drives\\@"
#define PARTITION L"\\??\\unix\\run\\stand-in\\drives\\@.device"
#define DEVICE L"\\Device\\StandInDrive@"
#define LINK L"\\DosDevices\\@:"

#define LONGEST 0x8000
#define TRIES 100

/* The number of a question (of an IOCTL, or of a class of information about volumes), and its answer. */
struct answer {
    ULONG question;
    ULONG length;
    UCHAR bytes[];
};

struct drive {
    HANDLE partition;
    ULONG length;
    UCHAR answers[LONGEST];
};

static NTSTATUS complete(IRP *irp, NTSTATUS status, ULONG length)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = length;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS NTAPI accept(DEVICE_OBJECT *device, IRP *irp)
{
    UNREFERENCED_PARAMETER(device);
    return complete(irp, STATUS_SUCCESS, 0);
}

/* What was written to the volume, by whatever program, reaches the disk. */
static NTSTATUS NTAPI flush(DEVICE_OBJECT *device, IRP *irp)
{
    struct drive *drive = device->DeviceExtension;
    IO_STATUS_BLOCK io;

    return complete(irp, ZwFlushBuffersFile(drive->partition, &io), 0);
}

static NTSTATUS answer(struct drive *drive, IRP *irp, ULONG question, ULONG room)
{
    const struct answer *found;

    for (ULONG at = 0; at < drive->length; at += sizeof(*found) + found->length) {
        found = (const struct answer *)(drive->answers + at);
        if (found->question != question)
            continue;
        if (found->length > room)
            return complete(irp, STATUS_BUFFER_TOO_SMALL, 0);
        RtlCopyMemory(irp->AssociatedIrp.SystemBuffer, found->bytes, found->length);
        return complete(irp, STATUS_SUCCESS, found->length);
    }
    return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

static NTSTATUS NTAPI control(DEVICE_OBJECT *device, IRP *irp)
{
    IO_STACK_LOCATION *asked = IoGetCurrentIrpStackLocation(irp);

    return answer(device->DeviceExtension, irp, asked->Parameters.DeviceIoControl.IoControlCode,
                  asked->Parameters.DeviceIoControl.OutputBufferLength);
}

static NTSTATUS NTAPI query_volume(DEVICE_OBJECT *device, IRP *irp)
{
    IO_STACK_LOCATION *asked = IoGetCurrentIrpStackLocation(irp);

    return answer(device->DeviceExtension, irp, asked->Parameters.QueryVolume.FsInformationClass, asked->Parameters.QueryVolume.Length);
}

static void name_by(UNICODE_STRING *named, WCHAR *text, WCHAR letter)
{
    for (WCHAR *at = text; *at; at++)
        if (*at == L'@')
            *at = letter;
    RtlInitUnicodeString(named, text);
}

static HANDLE open_file(WCHAR *path, WCHAR letter, ACCESS_MASK access)
{
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;
    UNICODE_STRING named;
    HANDLE file;

    name_by(&named, path, letter);
    InitializeObjectAttributes(&attributes, &named, 0, NULL, NULL);
    if (ZwOpenFile(&file, access | SYNCHRONIZE, &attributes, &io, FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_SYNCHRONOUS_IO_NONALERT))
        return NULL;
    return file;
}

static void read_answers(struct drive *drive, HANDLE answers)
{
    IO_STATUS_BLOCK io = {0};

    ZwReadFile(answers, NULL, NULL, NULL, &io, drive->answers, LONGEST, NULL, NULL);
    drive->length = io.Information;
}

/* Wine's mount manager has given the letter to a device of its own, or will leave it alone when it is taken. */
static void take_letter(WCHAR letter, UNICODE_STRING *device)
{
    WCHAR text[] = LINK;
    UNICODE_STRING link;

    name_by(&link, text, letter);
    for (int tries = 0; tries < TRIES; tries++) {
        IoDeleteSymbolicLink(&link);
        if (IoCreateSymbolicLink(&link, device) == STATUS_SUCCESS)
            return;
    }
}

static void add_drive(DRIVER_OBJECT *driver, WCHAR letter)
{
    WCHAR answers_path[] = ANSWERS, partition_path[] = PARTITION, text[] = DEVICE;
    HANDLE answers = open_file(answers_path, letter, FILE_READ_DATA);
    UNICODE_STRING named;
    DEVICE_OBJECT *device;
    struct drive *drive;

    if (!answers)
        return;
    name_by(&named, text, letter);
    if (!IoCreateDevice(driver, sizeof(*drive), &named, FILE_DEVICE_DISK, 0, FALSE, &device)) {
        drive = device->DeviceExtension;
        drive->partition = open_file(partition_path, letter, FILE_WRITE_DATA);
        read_answers(drive, answers);
        take_letter(letter, &named);
    }
    ZwClose(answers);
}

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *key)
{
    UNREFERENCED_PARAMETER(key);
    driver->MajorFunction[IRP_MJ_CREATE] = accept;
    driver->MajorFunction[IRP_MJ_CLEANUP] = accept;
    driver->MajorFunction[IRP_MJ_CLOSE] = accept;
    driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = flush;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = control;
    driver->MajorFunction[IRP_MJ_QUERY_VOLUME_INFORMATION] = query_volume;
    for (WCHAR letter = L'c'; letter <= L'z'; letter++)
        add_drive(driver, letter);
    return STATUS_SUCCESS;
}
