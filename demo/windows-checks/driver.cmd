@echo off
rem What a Windows needs to install a driver of the media, and its boot loader to load it.
if not exist "%SystemDrive%\ProgramData\media-runtime\drivers\controller\standahci.inf" exit 11
if not exist "%SystemDrive%\Windows\System32\drivers\standahci.sys" exit 12
reg.exe query HKLM\SYSTEM\CurrentControlSet\Services\standahci /v Start
if errorlevel 1 exit 13
reg.exe query HKLM\SYSTEM\DriverDatabase\DriverInfFiles\media-runtime-standahci.inf /v Active
if errorlevel 1 exit 14
reg.exe query HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion /v DevicePath >"%SystemRoot%\Temp\path.txt"
find.exe "media-runtime\drivers\controller" "%SystemRoot%\Temp\path.txt"
if errorlevel 1 exit 15
del "%SystemRoot%\Temp\path.txt"
exit 0
