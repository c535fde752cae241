"""Install the queues that are measured beside ours, each into an environment of its own.

    python bench/install_peers.py

One that cannot be installed is named with the reason and left out of the tables; that is no error.
"""

from support import peers


def main():
    for peer in peers.PEERS:
        try:
            peers.install(peer)
        except peers.InstallError as error:
            print(f"{peer.requirement} could not be installed and is left out: {error}")
        else:
            print(f"{peer.requirement} is installed in {peer.folder}")


if __name__ == "__main__":
    main()
