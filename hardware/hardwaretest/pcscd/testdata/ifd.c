/*
 * A reader driver (PC/SC IFD handler 3.0, ifdhandler.h of pcsc-lite) that passes every call on to the driver named by
 * DRIVER. While the file UNPLUGGED exists it answers like a reader that was unplugged; while the file MUTE exists no
 * card can be powered up. Only tests use it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include <ifdhandler.h>

static void *real(const char *name)
{
	static void *library;
	if (!library)
		library = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		fprintf(stderr, "ifd: %s\n", dlerror());
		return NULL;
	}
	return dlsym(library, name);
}

#define PASS(name, types, args)                         \
	do {                                            \
		RESPONSECODE(*f) types = real(name);    \
		if (access(UNPLUGGED, F_OK) == 0)       \
			return IFD_NO_SUCH_DEVICE;      \
		return f ? f args : IFD_COMMUNICATION_ERROR; \
	} while (0)

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR device)
{
	PASS("IFDHCreateChannelByName", (DWORD, LPSTR), (lun, device));
}

RESPONSECODE IFDHCreateChannel(DWORD lun, DWORD channel)
{
	PASS("IFDHCreateChannel", (DWORD, DWORD), (lun, channel));
}

/* closing goes through always: the port must be free again */
RESPONSECODE IFDHCloseChannel(DWORD lun)
{
	RESPONSECODE(*f)(DWORD) = real("IFDHCloseChannel");
	return f ? f(lun) : IFD_COMMUNICATION_ERROR;
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value)
{
	PASS("IFDHGetCapabilities", (DWORD, DWORD, PDWORD, PUCHAR), (lun, tag, length, value));
}

RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD length, PUCHAR value)
{
	PASS("IFDHSetCapabilities", (DWORD, DWORD, DWORD, PUCHAR), (lun, tag, length, value));
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR flags, UCHAR a, UCHAR b, UCHAR c)
{
	PASS("IFDHSetProtocolParameters", (DWORD, DWORD, UCHAR, UCHAR, UCHAR, UCHAR), (lun, protocol, flags, a, b, c));
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD length)
{
	if (action != IFD_POWER_DOWN && access(MUTE, F_OK) == 0) {
		*length = 0;
		return IFD_ERROR_POWER_ACTION;
	}
	PASS("IFDHPowerICC", (DWORD, DWORD, PUCHAR, PDWORD), (lun, action, atr, length));
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send, PUCHAR tx, DWORD txlen, PUCHAR rx, PDWORD rxlen,
			       PSCARD_IO_HEADER recv)
{
	RESPONSECODE(*f)(DWORD, SCARD_IO_HEADER, PUCHAR, DWORD, PUCHAR, PDWORD, PSCARD_IO_HEADER);
	f = real("IFDHTransmitToICC");
	if (!f || access(UNPLUGGED, F_OK) == 0) {
		*rxlen = 0;
		return f ? IFD_NO_SUCH_DEVICE : IFD_COMMUNICATION_ERROR;
	}
	return f(lun, send, tx, txlen, rx, rxlen, recv);
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR tx, DWORD txlen, PUCHAR rx, DWORD rxlen, LPDWORD returned)
{
	PASS("IFDHControl", (DWORD, DWORD, PUCHAR, DWORD, PUCHAR, DWORD, LPDWORD), (lun, code, tx, txlen, rx, rxlen, returned));
}

RESPONSECODE IFDHICCPresence(DWORD lun)
{
	PASS("IFDHICCPresence", (DWORD), (lun));
}
