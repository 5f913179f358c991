# frozen_string_literal: true

# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

module Roost
  # The machines of a cluster that are containers, as host/container.yml describes them.
  module Containers
    def define_container(node, machine)
      # There is no port to forward: sshd is reached at the container's own address.
      node.vm.network "forwarded_port", id: "ssh", guest: 22, host: 2222, disabled: true
      # By name, because Vagrant removes networks that it made itself, of other projects too.
      node.vm.network "private_network", name: "roost-#{name}", ip: machine.address, netmask: "24"
      node.vm.provider "docker" do |docker|
        # Which build of it, the bundle says when the first machine is made.
        docker.image = "roost.internal/node"
        docker.name = fill(container.fetch("name"), machine)
        docker.has_ssh = true
        docker.stop_timeout = container.fetch("stop_timeout")
        docker.create_args = container_arguments(machine)
      end
    end

    private

    def container
      @container ||= data("host/container.yml")
    end

    def container_arguments(machine)
      {
        "label" => container.fetch("labels").map { |key, value| "#{key}=#{fill(value, machine)}" },
        "cap-add" => container.fetch("capabilities"),
        "cap-drop" => container.fetch("capabilities_dropped"),
        "security-opt" => container.fetch("security_options"),
        "device-cgroup-rule" => container.fetch("device_cgroup_rules"),
        "cpu-shares" => [container.fetch("cpu_shares").fetch(machine.role)],
        "cgroupns" => [container.fetch("cgroup_namespace")],
        "tmpfs" => container.fetch("tmpfs"),
        "mount" => volumes(machine),
        "stop-signal" => [container.fetch("stop_signal")]
      }.flat_map { |flag, values| values.map { |value| "--#{flag}=#{value}" } }
    end

    # Docker makes a volume at its first use; only --mount gives it labels then.
    def volumes(machine)
      labels = container.fetch("labels").map do |key, value|
        "volume-label=#{key}=#{fill(value, machine)}"
      end
      container.fetch("volumes").map do |volume, path|
        source = fill(container.fetch("volume_name"), machine, volume)
        ["type=volume", "src=#{source}", "dst=#{path}", *labels].join(",")
      end
    end

    def fill(text, machine, volume = "")
      text.gsub(/\{\w+\}/, "{cluster}" => name, "{node}" => machine.name,
                           "{checkout}" => @root, "{volume}" => volume)
    end

    def node_image
      @node_image ||= output(python, "-m", "bundle", "docker-load", "node").split.last
    end
  end
end
